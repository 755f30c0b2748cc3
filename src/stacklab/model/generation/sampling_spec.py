"""The settings of sampling. No torch here."""

from pydantic import Field, PositiveInt

from stacklab.base.spec import Spec


class SamplingSpec(Spec):
    """Logits are divided by `temperature`, cut to the `top_k` highest, then to `top_p`, and one token is drawn.

    temperature: 0 takes the most likely token, which no cut removes.
    top_k: number of tokens that stay, plus those that tie with the last of them; None keeps all.
    top_p: keeps the smallest set of most likely tokens with at least this probability (nucleus sampling, Holtzman et
    al. 2020, arXiv 1904.09751); of equal tokens the higher ids. None keeps all.
    seed: seed of the draws. Every prompt has its own draws: see `stacklab.model.generation.decode`.
    """

    temperature: float = Field(0.0, ge=0)
    top_k: PositiveInt | None = None
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int = 0


GREEDY = SamplingSpec()

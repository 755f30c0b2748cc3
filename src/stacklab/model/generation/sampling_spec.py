"""How the next token is chosen. No torch here."""

from pydantic import Field, PositiveInt

from stacklab.base.spec import Spec


class SamplingSpec(Spec):
    """Logits are divided by `temperature`, cut to the `top_k` highest, then to `top_p`, and one token is drawn.

    temperature: 0 takes the likeliest token, which no cut removes.
    top_k: the number of tokens that stay, beside those that tie with the last of them; None leaves all.
    top_p: the fewest likeliest tokens stay that hold so much of the probability (nucleus sampling, Holtzman et al.
    2020, arXiv 1904.09751); of equal tokens the higher ids. None leaves all.
    seed: seed of the draws. Every prompt has draws of its own: see `stacklab.model.generation.sampling`.
    """

    temperature: float = Field(0.0, ge=0)
    top_k: PositiveInt | None = None
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int = 0


GREEDY = SamplingSpec()

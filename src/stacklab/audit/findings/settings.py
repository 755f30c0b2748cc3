"""Ways to build a stated stack and to count its parameters."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from stacklab.audit.spec import Counted, LinearBias, StatedModel
from stacklab.model.count import Parameters, count_parameters
from stacklab.model.positions.kinds import LearnedPositions, NoPositions
from stacklab.model.settings.shorthands import BiasSpec
from stacklab.model.spec import ModelSpec, NormSpec

CONVENTIONS: dict[Counted, tuple[str, Callable[[Parameters], int]]] = {
    "all": ("", lambda count: count.total),
    "without_positions": (
        "without the table of positions, as nanoGPT prints it",
        lambda count: count.total - count.position_embedding,
    ),
    "without_head": ("without the head, as minGPT prints it", lambda count: count.total - count.head),
    "without_tables": (
        "without the tables of tokens and positions, as transformers counts with exclude_embeddings",
        lambda count: count.total - count.token_embedding - count.position_embedding,
    ),
    "without_embeddings": (
        "without tables and head, as Kaplan et al. (2020) count",
        lambda count: count.non_embedding,
    ),
}
"""What is said of a count by each convention, and the count."""

BIASES: dict[LinearBias, tuple[str, BiasSpec]] = {
    "none": ("no linear biases", BiasSpec()),
    "query_key_value": ("biases on queries, keys and values", BiasSpec(query_key_value=True)),
    "all": ("linear biases", BiasSpec(query_key_value=True, output=True, feed_forward=True)),
}


class Setting(NamedTuple):
    """One way to build and count the stated stack.

    positions: rows of a learned table, 0 for none. d_ff None is 4 d_model; kv_heads None is num_heads.
    """

    vocab_size: int
    positions: int
    linear_bias: LinearBias
    norm_bias: bool
    tied: bool
    final_norm: bool
    gated: bool = False
    d_ff: int | None = None
    kv_heads: int | None = None
    counted: Counted = "all"

    def words(self) -> str:
        parts = [
            f"vocabulary {self.vocab_size:,}",
            f"{self.positions:,} positions" if self.positions else "no table of positions",
            BIASES[self.linear_bias][0],
            f"gated feed-forwards{'' if self.d_ff is None else f' of {self.d_ff:,}'}" if self.gated else "",
            "" if self.kv_heads is None else f"{self.kv_heads} heads of keys and values",
            "" if self.norm_bias else "norms without biases",
            "" if self.tied else "an untied head",
            "" if self.final_norm else "no final norm",
        ]
        return ", ".join(filter(None, parts))


def build(setting: Setting, model: StatedModel, num_layers: int, *, d_model: int | None = None) -> ModelSpec:
    """The stack of one arm. Another `d_model` keeps the ratio of d_ff to it."""
    width = model.d_model
    assert width is not None, "callers check first"
    wide = d_model or width
    # The number of heads enters a count only where they share keys and values.
    shared = setting.kv_heads is not None and model.num_heads is not None
    return ModelSpec(
        vocab_size=setting.vocab_size,
        d_model=wide,
        num_layers=num_layers,
        num_heads=model.num_heads if shared and model.num_heads else 1,
        num_kv_heads=setting.kv_heads if shared else None,
        d_ff=None if setting.d_ff is None else max(1, round(setting.d_ff * wide / width)),
        feed_forward="gated" if setting.gated else "plain",
        context_length=setting.positions or 1,
        position=LearnedPositions() if setting.positions else NoPositions(),
        linear_bias=BIASES[setting.linear_bias][1],
        tie_embeddings=setting.tied,
        norm=NormSpec(final=setting.final_norm, bias=setting.norm_bias),
    )


@lru_cache(maxsize=2**15)
def parameters(setting: Setting, model: StatedModel, num_layers: int) -> Parameters:
    """The closed counts of one arm by part, whatever the setting counts."""
    return count_parameters(build(setting, model, num_layers))

"""Settings that may have led to the printed parameter counts: those stated, and plausible variations."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from stacklab.audit.spec import Stated, StatedArm
from stacklab.model.count import count_parameters
from stacklab.model.positions.kinds import LearnedPositions, NoPositions
from stacklab.model.spec import BiasSpec, ModelSpec, NormSpec

TOKENIZER_LENGTHS: dict[str, tuple[int, ...]] = {
    "qwen2.5": (151_643, 151_665, 151_936),
    "qwen3": (151_643, 151_669, 151_936),
    "gpt2": (50_257, 50_304),
    "gptneo": (50_257, 50_304),
    "llama2": (32_000,),
    "llama3": (128_000, 128_256),
    "mistral": (32_000, 32_768),
    "bert": (30_522,),
}
"""Published lengths by family: the base vocabulary, that with added tokens, and the padded embedding table."""

PADDING = (64, 128)


class Setting(NamedTuple):
    """One way to build the stated stack. positions: rows of a learned table, 0 for none."""

    vocab_size: int
    positions: int
    linear_bias: bool
    norm_bias: bool
    tied: bool
    final_norm: bool

    def words(self) -> str:
        parts = [
            f"vocabulary {self.vocab_size:,}",
            f"{self.positions:,} positions" if self.positions else "no positions",
        ]
        parts.append("linear biases" if self.linear_bias else "no linear biases")
        if not self.norm_bias:
            parts.append("norms without biases")
        if not self.tied:
            parts.append("an untied head")
        if not self.final_norm:
            parts.append("no final norm")
        return ", ".join(parts)


class Reproduction(NamedTuple):
    """A setting with its parameter counts, arm by arm, and how many stated settings it departs from."""

    setting: Setting
    counts: tuple[int, ...]
    departures: int


def build(setting: Setting, stated: Stated, num_layers: int, *, d_model: int | None = None) -> ModelSpec:
    """The stack of one arm. The heads do not enter any count. Another `d_model` keeps the ratio of d_ff to it."""
    width = stated.model.d_model
    assert width is not None, "callers check first"
    wide, biases = d_model or width, setting.linear_bias
    return ModelSpec(
        vocab_size=setting.vocab_size,
        d_model=wide,
        num_layers=num_layers,
        num_heads=1,
        d_ff=None if stated.model.d_ff is None else max(1, round(stated.model.d_ff * wide / width)),
        context_length=setting.positions or 1,
        position=LearnedPositions() if setting.positions else NoPositions(),
        linear_bias=BiasSpec(query_key_value=biases, output=biases, feed_forward=biases),
        tie_embeddings=setting.tied,
        norm=NormSpec(final=setting.final_norm, bias=setting.norm_bias),
    )


def counted_arms(stated: Stated) -> tuple[StatedArm, ...]:
    """Arms with a printed parameter count; none unless a width and a vocabulary or tokenizer are stated."""
    if stated.model.d_model is None or not _vocabularies(stated):
        return ()
    return tuple(arm for arm in stated.arms if arm.parameters is not None)


def stated_settings(stated: Stated) -> list[Setting]:
    """The settings as stated, with both choices of linear biases where none is stated."""
    model = stated.model
    vocab = model.vocab_size or _vocabularies(stated)[0]
    positions = model.context_length or stated.training.block_size or 0
    biases = (False, True) if model.linear_bias is None else (model.linear_bias,)
    tied, final = model.tie_embeddings is not False, model.final_norm is not False
    return [Setting(vocab, positions, bias, True, tied, final) for bias in biases]


def with_counts(setting: Setting, stated: Stated, arms: Sequence[StatedArm]) -> Reproduction:
    counts = tuple(count_parameters(build(setting, stated, arm.num_layers)).total for arm in arms)
    return Reproduction(setting, counts, _departures(setting, stated))


def variations(stated: Stated) -> list[Setting]:
    """All combinations of vocabularies (tokenizer, usual padding), positions (context, block, none) and flags."""
    model = stated.model
    positions = dict.fromkeys([model.context_length or 0, stated.training.block_size or 0, 0])
    flags = (False, True)
    return [Setting(*chosen) for chosen in product(_vocabularies(stated), positions, flags, flags, flags, flags)]


def reproductions(stated: Stated, arms: Sequence[StatedArm]) -> list[Reproduction]:
    """The variations whose counts round to every printed one, fewest departures first."""
    tried = (with_counts(setting, stated, arms) for setting in variations(stated))
    return sorted((one for one in tried if admits(one, arms)), key=lambda one: one.departures)


def admits(candidate: Reproduction, arms: Sequence[StatedArm]) -> bool:
    """Whether every count rounds to the printed one."""
    pairs = zip(candidate.counts, arms, strict=True)
    return all(arm.parameters is None or arm.parameters.admits(count) for count, arm in pairs)


def _vocabularies(stated: Stated) -> list[int]:
    name = (stated.model.tokenizer or "").lower().replace(" ", "").replace("-", "")
    known = next((lengths for family, lengths in TOKENIZER_LENGTHS.items() if name.startswith(family)), ())
    size = stated.model.vocab_size
    padded = [-(-size // unit) * unit for unit in PADDING] if size else []
    return list(dict.fromkeys([*([size] if size else []), *known, *padded]))


def _departures(setting: Setting, stated: Stated) -> int:
    model = stated.model
    usual = Setting(
        vocab_size=model.vocab_size or setting.vocab_size,
        positions=model.context_length or setting.positions,
        linear_bias=setting.linear_bias if model.linear_bias is None else model.linear_bias,
        norm_bias=True,
        tied=model.tie_embeddings is not False,
        final_norm=model.final_norm is not False,
    )
    return sum(a != b for a, b in zip(setting, usual, strict=True))

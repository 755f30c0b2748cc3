"""Which settings have the printed parameter counts: those that fit what is stated, and others."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Literal, NamedTuple

from stacklab.audit.findings.settings import BIASES, CONVENTIONS, Setting, parameters
from stacklab.audit.spec import Counted, LinearBias, Stated, StatedArm, StatedModel

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

GATED_MULTIPLES = (1, 32, 64, 128, 256)
"""Gated feed-forwards are 8/3 d_model wide, rounded up to a multiple of one of these (Touvron et al. 2023)."""


class Reproduction(NamedTuple):
    """A setting with its counts, arm by arm.

    counts: by the convention of the setting; totals: all parameters. departures: number of stated settings that it
    contradicts. unusual: number of choices that the nearest usual stack does not share; assumed: those of them that
    are not stated. padded: whether the vocabulary is the stated one rounded up.
    """

    setting: Setting
    counts: tuple[int, ...]
    totals: tuple[int, ...]
    departures: int
    unusual: int
    assumed: int
    padded: bool

    @property
    def rank(self) -> tuple[int, ...]:
        """The most likely explanation has the lowest."""
        by_convention = self.setting.counted != "all"
        return self.departures, self.unusual + by_convention + self.padded, self.unusual


class Usual(NamedTuple):
    """What is usual together."""

    positions: bool
    gated: bool
    norm_bias: bool
    linear_bias: tuple[LinearBias, ...]


USUAL = (
    Usual(positions=True, gated=False, norm_bias=True, linear_bias=("all", "none")),  # GPT-2
    Usual(positions=True, gated=False, norm_bias=False, linear_bias=("none",)),  # nanoGPT with bias=False
    Usual(positions=False, gated=False, norm_bias=True, linear_bias=("all",)),  # GPT-NeoX
    Usual(positions=False, gated=True, norm_bias=False, linear_bias=("none", "query_key_value")),  # Llama, Qwen2
)


def counted_arms(stated: Stated) -> tuple[StatedArm, ...]:
    """Arms with a depth and a printed parameter count; none unless a width and a vocabulary or tokenizer are stated."""
    if stated.model.d_model is None or not _vocabularies(stated.model):
        return ()
    return tuple(arm for arm in stated.arms if arm.parameters is not None and arm.num_layers is not None)


def stated_settings(stated: Stated) -> list[Setting]:
    """All settings that fit what is stated, by every convention of counting unless one is stated."""
    model = stated.model
    vocabularies = [model.vocab_size, *_padded(model.vocab_size)] if model.vocab_size else _vocabularies(model)
    context = model.context_length or stated.training.block_size or 0
    learned = (True, False) if model.position is None else (model.position == "learned",)
    positions = dict.fromkeys(context if table else 0 for table in learned)
    biases = tuple(BIASES) if model.linear_bias is None else (_bias(model.linear_bias),)
    norm_biases = (False,) if model.norm == "rms" else (True, False)
    flags = norm_biases, _either(model.tie_embeddings), _either(model.final_norm)
    conventions = tuple(CONVENTIONS) if model.counted is None else (model.counted,)
    return [
        Setting(*chosen)._replace(gated=gated, d_ff=d_ff, kv_heads=kv_heads, counted=counted)
        for chosen in product(dict.fromkeys(vocabularies), positions, biases, *flags)
        for gated, d_ff, kv_heads in _inner(model)
        for counted in conventions
        if _is_own(Setting(*chosen), counted) or len(conventions) == 1
    ]


def variations(stated: Stated) -> list[Setting]:
    """Settings that may depart from what is stated: other vocabularies (tokenizer, usual padding), positions (context,
    block, none), biases, tying and norms."""
    model = stated.model
    positions = dict.fromkeys([model.context_length or 0, stated.training.block_size or 0, 0])
    flags = (True, False)
    return [
        setting._replace(counted=model.counted or "all")
        for chosen in product(_vocabularies(model), positions, BIASES, flags, flags, flags)
        for gated, d_ff, kv_heads in _inner(model)
        if _is_usual_inside(setting := Setting(*chosen)._replace(gated=gated, d_ff=d_ff, kv_heads=kv_heads), model)
    ]


def reproductions(stated: Stated, arms: Sequence[StatedArm], settings: Iterable[Setting]) -> list[Reproduction]:
    """Those of the settings whose counts round to every printed one, the most likely first."""
    tried = (with_counts(setting, stated, arms) for setting in settings)
    return sorted((one for one in tried if admits(one, arms)), key=lambda one: one.rank)


def with_counts(setting: Setting, stated: Stated, arms: Sequence[StatedArm]) -> Reproduction:
    """The setting with its counts, and how far it is from what is stated and from what is usual."""
    model = stated.model
    stack = setting._replace(counted="all")
    parts = [parameters(stack, model, arm.num_layers) for arm in arms if arm.num_layers is not None]
    unusual, assumed = _unusual(setting, stated)
    return Reproduction(
        setting=setting,
        counts=tuple(map(CONVENTIONS[setting.counted][1], parts)),
        totals=tuple(part.total for part in parts),
        departures=_departures(setting, stated),
        unusual=unusual,
        assumed=assumed,
        padded=model.vocab_size is not None and setting.vocab_size != model.vocab_size,
    )


def admits(candidate: Reproduction, arms: Sequence[StatedArm]) -> bool:
    """Whether every count rounds to the printed one."""
    pairs = zip(candidate.counts, arms, strict=True)
    return all(arm.parameters is None or arm.parameters.admits(count) for count, arm in pairs)


def is_complete(model: StatedModel) -> bool:
    """Whether everything that enters a count is stated."""
    shown = model.d_ff, model.feed_forward, model.position, model.norm, model.linear_bias, model.tie_embeddings
    return None not in (*shown, model.vocab_size, model.final_norm, model.num_kv_heads)


def chosen_setting(stated: Stated) -> Reproduction | None:
    """The setting that the audit assumes: the most likely one with the printed counts, else the nearest as stated."""
    arms = counted_arms(stated)
    if not arms:
        return None
    fitting = reproductions(stated, arms, stated_settings(stated))
    others = [] if fitting else reproductions(stated, arms, variations(stated))
    return next(iter([*fitting, *others]), None) or nearest(stated, arms, ())


def nearest(stated: Stated, arms: Sequence[StatedArm], explained: Sequence[Reproduction]) -> Reproduction:
    """Of the usual settings that fit what is stated: the most alike to the explanation, then the nearest in counts."""
    tried = [with_counts(setting, stated, arms) for setting in stated_settings(stated)]
    usual = min(one.rank for one in tried)

    def distance(one: Reproduction) -> tuple[int, float]:
        unlike = sum(a != b for a, b in zip(one.setting, explained[0].setting, strict=True)) if explained else 0
        return unlike, sum(abs(total - printed_count(arm)) for total, arm in zip(one.counts, arms, strict=True))

    return min((one for one in tried if one.rank == usual), key=distance)


def printed_count(arm: StatedArm) -> float:
    assert arm.parameters is not None, "counted arms have a count"
    return arm.parameters.value


def _vocabularies(model: StatedModel) -> list[int]:
    name = (model.tokenizer or "").lower().replace(" ", "").replace("-", "")
    known = next((lengths for family, lengths in TOKENIZER_LENGTHS.items() if name.startswith(family)), ())
    own = [model.vocab_size, *known, *_padded(model.vocab_size)] if model.vocab_size else known
    return list(dict.fromkeys(own))


def _padded(size: int) -> list[int]:
    return [-(-size // unit) * unit for unit in PADDING]


def _either(flag: bool | None) -> tuple[bool, ...]:
    return (True, False) if flag is None else (flag,)


def _bias(stated: bool | Literal["query_key_value"]) -> LinearBias:
    return ("all" if stated else "none") if isinstance(stated, bool) else stated


def _inner(model: StatedModel) -> Iterator[tuple[bool, int | None, int | None]]:
    """gated, d_ff and kv_heads that fit what is stated."""
    assert model.d_model is not None, "callers check first"
    third = 8 * model.d_model / 3
    usual = dict.fromkeys(math.ceil(third / multiple) * multiple for multiple in GATED_MULTIPLES)
    for gated in (False, True) if model.feed_forward is None else (model.feed_forward == "gated",):
        widths = (model.d_ff,) if model.d_ff else (None, *usual) if gated else (None,)
        yield from product((gated,), widths, _shared_heads(model))


def _shared_heads(model: StatedModel) -> list[int | None]:
    """Numbers of heads of keys and values; None for as many as of queries."""
    heads, shared = model.num_heads, model.num_kv_heads
    if heads is None or not model.d_model or model.d_model % heads or (shared and heads % shared):
        return [None]
    if shared:
        return [None if shared == heads else shared]
    return [None, *(number for number in range(1, heads) if heads % number == 0)]


def _is_own(setting: Setting, counted: Counted) -> bool:
    """Whether a convention differs from those before it: a stack without a table of positions has one count fewer."""
    if counted == "without_positions":
        return setting.positions > 0
    return not setting.tied or counted not in {"without_head", "without_embeddings"}


def _is_usual_inside(setting: Setting, model: StatedModel) -> bool:
    """Whether feed-forward and heads are stated, or those that are usual with the positions."""
    gated = model.feed_forward is not None or not setting.gated or not setting.positions
    return gated and (model.num_kv_heads is not None or setting.kv_heads is None)


def _departures(setting: Setting, stated: Stated) -> int:
    """Number of stated settings that this one contradicts."""
    model = stated.model
    context = model.context_length or stated.training.block_size
    wanted = [
        (model.vocab_size, setting.vocab_size in [model.vocab_size, *_padded(model.vocab_size or 0)]),
        (context, setting.positions in (context, 0)),
        (model.position, (model.position == "learned") == (setting.positions > 0)),
        (model.linear_bias, model.linear_bias is not None and setting.linear_bias == _bias(model.linear_bias)),
        (model.norm, model.norm == "layer" or not setting.norm_bias),
        (model.tie_embeddings, setting.tied == model.tie_embeddings),
        (model.final_norm, setting.final_norm == model.final_norm),
    ]
    return sum(value is not None and not kept for value, kept in wanted)


def _unusual(setting: Setting, stated: Stated) -> tuple[int, int]:
    """Choices that the nearest usual stack does not share, and those of them that are not stated."""
    model = stated.model
    alike = [(model.num_kv_heads, setting.kv_heads is None), (model.final_norm, setting.final_norm)]
    return min(_differing([*alike, *_against(usual, setting, stated)]) for usual in USUAL)


def _against(usual: Usual, setting: Setting, stated: Stated) -> list[tuple[object, bool]]:
    model = stated.model
    context = model.context_length or stated.training.block_size
    return [
        (model.position, context is None or usual.positions == (setting.positions > 0)),
        (model.feed_forward, usual.gated == setting.gated),
        (model.norm, usual.norm_bias == setting.norm_bias),
        (model.linear_bias, setting.linear_bias in usual.linear_bias),
    ]


def _differing(choices: Sequence[tuple[object, bool]]) -> tuple[int, int]:
    differing = [value for value, alike in choices if not alike]
    return len(differing), sum(value is None for value in differing)

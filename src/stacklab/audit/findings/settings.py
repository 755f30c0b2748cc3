"""Settings that may have led to the printed parameter counts: those that fit what is stated, and plausible others."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple

from stacklab.audit.spec import Counted, LinearBias, Stated, StatedArm, StatedModel
from stacklab.model.count import Parameters, count_parameters
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

GATED_MULTIPLES = (1, 32, 64, 128, 256)
"""Gated feed-forwards are 8/3 d_model wide, rounded up to a multiple of one of these (Touvron et al. 2023)."""

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
        Setting(*chosen, *inner, counted)
        for chosen in product(dict.fromkeys(vocabularies), positions, biases, *flags)
        for inner in _inner(model)
        for counted in conventions
        if _is_own(Setting(*chosen, *inner), counted) or len(conventions) == 1
    ]


def variations(stated: Stated) -> list[Setting]:
    """Settings that may depart from what is stated: other vocabularies (tokenizer, usual padding), positions (context,
    block, none), biases, tying and norms."""
    model = stated.model
    positions = dict.fromkeys([model.context_length or 0, stated.training.block_size or 0, 0])
    flags = (True, False)
    return [
        Setting(*chosen, *inner, model.counted or "all")
        for chosen in product(_vocabularies(model), positions, BIASES, flags, flags, flags)
        for inner in _inner(model)
        if _is_usual_inside(Setting(*chosen, *inner), model)
    ]


def reproductions(stated: Stated, arms: Sequence[StatedArm], settings: Iterable[Setting]) -> list[Reproduction]:
    """Those of the settings whose counts round to every printed one, the most likely first."""
    tried = (with_counts(setting, stated, arms) for setting in settings)
    return sorted((one for one in tried if admits(one, arms)), key=lambda one: one.rank)


def with_counts(setting: Setting, stated: Stated, arms: Sequence[StatedArm]) -> Reproduction:
    """The setting with its counts, and how far it is from what is stated and from what is usual."""
    model = stated.model
    stack = setting._replace(counted="all")
    parts = [_parameters(stack, model, arm.num_layers) for arm in arms if arm.num_layers is not None]
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


@lru_cache(maxsize=2**15)
def _parameters(setting: Setting, model: StatedModel, num_layers: int) -> Parameters:
    return count_parameters(build(setting, model, num_layers))


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

"""Attention patterns: which of the pairs that the mask allows a layer computes. No torch here.

A pattern is one rule over the positions of a query and a key. The mask of the CPU, FlexAttention's mask, the check that
every query sees a key, and the count of visible pairs all follow from it. A new pattern is a class here and an entry of
AnyPattern.
"""

from collections.abc import Callable, Mapping
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, NonNegativeInt, TypeAdapter, ValidationError

from stacklab.base.spec import Items, Size, Spec, Text, first_fault
from stacklab.base.streams import numpy_stream
from stacklab.base.text import shown
from stacklab.model.positions.kind import name_to_kind
from stacklab.model.settings.shorthands import MOST_LAYERS

Rule = Callable[[Any, Any], Any]
"""True where the query at one position sees the key at another. The positions are integers, NumPy arrays or tensors,
which broadcast against each other; the mask applies in addition."""


Draw = tuple[tuple[int, ...], ...]
"""Rows of what a pattern draws at random, in plain numbers, since torch does not compile random streams."""


class Sequences(NamedTuple):
    """What a rule is made for.

    length: positions of the longest sequence. drawn: what the pattern's `draw` returned.
    array: makes an array of integers, in the library and on the device of the positions.
    """

    length: int
    drawn: Draw
    array: Callable[[Draw], Any]


class PatternKind(Spec):
    """A pattern with its settings. Positions count from the start of a record, also where records are packed.

    reach: the largest distance of a visible key; None is no limit.
    """

    kind: str

    @property
    def reach(self) -> int | None:
        return None

    def rule(self, sequences: Sequences) -> Rule:
        raise NotImplementedError

    def draw(self, *, causal: bool, length: int) -> Draw:
        """The random part of the pattern. causal: whether the mask hides later keys. length: see Sequences.

        Raises ValueError for a pattern that does not suit the length.
        """
        return ()

    def describe(self) -> str:
        """The pattern and its settings, as the diagram of the architecture prints them."""
        raise NotImplementedError

    def of_layer(self, index: int) -> Self:
        """The pattern as layer `index` has it, since one setting may stand for several layers."""
        return self

    def same_cost(self) -> Self:
        """This pattern with defaults for all settings that do not change the time of an attention layer."""
        return self


class GlobalPattern(PatternKind):
    """A window and global tokens: the first `tokens` positions see all positions and are seen by all (Longformer,
    Beltagy et al. 2020, arXiv 2004.05150, section 3.1).

    size: of the window, as `window` counts: the query itself included.
    """

    kind: Literal["global"] = "global"
    size: Size
    tokens: Size = 1

    def rule(self, sequences: Sequences) -> Rule:
        size, tokens = self.size, self.tokens
        return lambda query, key: (abs(query - key) < size) | (query < tokens) | (key < tokens)

    def describe(self) -> str:
        return f"window {self.size:,} + {self.tokens:,} global"


class StridedPattern(PatternKind):
    """Every `stride`-th position counted from the query, and a window of `size` (Sparse Transformer, Child et al. 2019,
    arXiv 1904.10509, section 4.3: their two heads merged)."""

    kind: Literal["strided"] = "strided"
    stride: Size
    size: Size = 1

    def rule(self, sequences: Sequences) -> Rule:
        stride, size = self.stride, self.size
        return lambda query, key: ((query - key) % stride == 0) | (abs(query - key) < size)

    def describe(self) -> str:
        return f"stride {self.stride:,}" + (f" + window {self.size:,}" if self.size > 1 else "")


class BlockPattern(PatternKind):
    """Sequences are cut into blocks of `size` positions; a query sees its own block and `neighbours` on each side."""

    kind: Literal["block"] = "block"
    size: Size
    neighbours: NonNegativeInt = 0

    @property
    def reach(self) -> int:
        return (self.neighbours + 1) * self.size - 1

    def rule(self, sequences: Sequences) -> Rule:
        size, neighbours = self.size, self.neighbours
        return lambda query, key: abs(query // size - key // size) <= neighbours

    def describe(self) -> str:
        return f"blocks of {self.size:,}" + (f" ± {self.neighbours:,}" if self.neighbours else "")


MOST_BLOCKS = 4096
"""The most blocks of which some are drawn: the draw of each takes time and memory."""


class RandomBlocksPattern(PatternKind):
    """Blocks of `size` positions: neighbours, global blocks, and blocks drawn for each block of queries (BigBird,
    Zaheer et al. 2020, arXiv 2007.14062, section 2 and appendix D).

    neighbours: blocks on each side of a query's own; None hides its own too.
    random: blocks drawn from those that are neither global nor neighbours; under a causal mask, from earlier ones.
    global_blocks, last_global_blocks: first and last blocks of the context, which see all and are seen by all.
    seed: of the draw; layer i draws with seed + i.
    """

    kind: Literal["random_blocks"] = "random_blocks"
    size: Size
    neighbours: NonNegativeInt | None = 1
    random: NonNegativeInt = 3
    global_blocks: NonNegativeInt = 1
    last_global_blocks: NonNegativeInt = 0
    seed: NonNegativeInt = 0

    def of_layer(self, index: int) -> Self:
        return self.model_copy(update={"seed": self.seed + index})

    def same_cost(self) -> Self:
        return self.model_copy(update={"seed": 0})

    def draw(self, *, causal: bool, length: int) -> Draw:
        """[random, blocks]: the blocks drawn for each block of queries; -1 where fewer are left to draw from.

        Each block of queries has a stream of its own. Under a causal mask its draw does not depend on the length.
        """
        blocks = -(-length // self.size)
        if blocks > MOST_BLOCKS:
            raise ValueError(
                f"attention_pattern.size = {self.size:,} cuts context_length = {length:,} into {blocks:,} blocks, "
                f"expected at most {MOST_BLOCKS:,}; choose larger blocks"
            )
        return _drawn_blocks(self, blocks, causal)

    def rule(self, sequences: Sequences) -> Rule:
        size, near = self.size, -1 if self.neighbours is None else self.neighbours
        blocks = -(-sequences.length // size)
        first, last = self.global_blocks, blocks - self.last_global_blocks
        drawn = sequences.array(sequences.drawn)

        def sees(query: Any, key: Any) -> Any:
            # Places of padding count from below 0; sequences that are full go on past their last block.
            query, key = (query // size).clip(0, blocks - 1), (key // size).clip(0, blocks - 1)
            fixed = (abs(query - key) <= near) | (query < first) | (key < first) | (query >= last) | (key >= last)
            return reduce(or_, (drawn[column][query] == key for column in range(len(sequences.drawn))), fixed)

        return sees

    def describe(self) -> str:
        near = "" if self.neighbours is None else f", own ± {self.neighbours:,}"
        some = self.global_blocks + self.last_global_blocks
        return f"blocks of {self.size:,}{near} + {some:,} global + {self.random:,} random"


@cache
def _drawn_blocks(pattern: RandomBlocksPattern, blocks: int, causal: bool) -> Draw:
    import numpy as np

    drawn = np.full((min(pattern.random, blocks), blocks), -1, dtype=np.int64)
    near = -1 if pattern.neighbours is None else pattern.neighbours
    first, last = pattern.global_blocks, blocks - pattern.last_global_blocks
    for block in range(blocks):
        others = np.arange(first, max(first, min(last, block if causal else last)))
        others = others[(abs(others - block) > near) & (others != block)]
        chosen = numpy_stream(pattern.seed, "random blocks", block).permutation(others)[: len(drawn)]
        drawn[: len(chosen), block] = chosen
    return tuple(map(tuple, drawn.tolist()))


AnyPattern = GlobalPattern | StridedPattern | BlockPattern | RandomBlocksPattern
Pattern = Annotated[AnyPattern, Field(discriminator="kind")]


def of_layers(patterns: tuple[AnyPattern | None, ...]) -> tuple[AnyPattern | None, ...]:
    """The patterns as the layers have them, bottom first."""
    return tuple(each if each is None else each.of_layer(index) for index, each in enumerate(patterns))


class FullPattern(Spec):
    """All that the mask allows. It is stored as no window."""

    kind: Literal["full"] = "full"


class WindowPattern(Spec):
    """The last `size` positions, the query itself included, and as many later ones as a full mask allows. It is stored
    as the layer's `window`."""

    kind: Literal["window"] = "window"
    size: Size


Stated = Annotated[FullPattern | WindowPattern | AnyPattern, Field(discriminator="kind"), BeforeValidator(name_to_kind)]
STATED: TypeAdapter[Any] = TypeAdapter(Stated)


class PatternCycle(Spec):
    """Patterns that alternate over the layers, bottom first: "5:1" is five layers of the first, then one of the second.

    >>> cycle = PatternCycle(ratio="2:1", of=[{"kind": "window", "size": 8}, "full"])
    >>> [each.kind for each in cycle.by_layer(4)]
    ['window', 'window', 'full', 'window']
    """

    ratio: Text = Field(pattern=r"^[1-9][0-9]{0,3}(:[1-9][0-9]{0,3})*$")
    of: Items[Stated]

    def by_layer(self, num_layers: int) -> tuple[Any, ...]:
        """Raises ValueError for a ratio that does not fit the patterns, or the layers."""
        counts = [int(count) for count in self.ratio.split(":")]
        if len(counts) != len(self.of):
            raise ValueError(f"the ratio {self.ratio} is of {len(counts)} patterns, but `of` lists {len(self.of)}")
        once = [each for each, count in zip(self.of, counts, strict=True) for _ in range(count)]
        if num_layers < len(once):
            raise ValueError(f"the ratio {self.ratio} needs {len(once)} layers or more, got num_layers = {num_layers}")
        return tuple(once[layer % len(once)] for layer in range(num_layers))


def resolved(fields: Mapping[str, Any], num_layers: Any) -> dict[str, Any]:
    """The fields of a stack with each layer's pattern in one place, so that equal stacks have equal specs: full layers
    and windows in `window`, other patterns in `attention_pattern`, without the cycle.

    Raises ValueError for patterns that are wrong in themselves, and for windows in both places.
    """
    value = fields["attention_pattern"]
    each_layer = value if isinstance(value, list | tuple) else (value,)
    try:
        if isinstance(value, dict) and "ratio" in value:
            if type(num_layers) is not int or num_layers > MOST_LAYERS:
                raise ValueError(f"a cycle needs num_layers up to {MOST_LAYERS:,}, got {shown(num_layers)}")
            each_layer = PatternCycle.model_validate(value).by_layer(num_layers)
            value = each_layer
        stated = [None if each is None else STATED.validate_python(each) for each in each_layer]
    except ValidationError as error:
        raise ValueError(f"attention_pattern: {first_fault(error)}") from None
    except ValueError as error:
        raise ValueError(f"attention_pattern: {error}") from None
    windows = [each.size if isinstance(each, WindowPattern) else None for each in stated]
    sparse = [None if isinstance(each, FullPattern | WindowPattern) else each for each in stated]
    one = not isinstance(value, list | tuple)
    changed: dict[str, Any] = {"attention_pattern": None if not any(sparse) else sparse[0] if one else sparse}
    if any(isinstance(each, FullPattern | WindowPattern) for each in stated):
        if _states_windows(fields.get("window")):
            raise ValueError("window and attention_pattern both state windows; set window to null")
        changed["window"] = None if not any(windows) else windows[0] if one else windows
    return {**fields, **changed}


def _states_windows(window: Any) -> bool:
    return any(each is not None for each in window) if isinstance(window, list | tuple) else window is not None

"""Figures as plain data: what plotly and matplotlib draw, and what tests look at."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from stacklab.report.facts.arms import ArmFact
from stacklab.report.format.palette import color_of, symbol_of

Dash = Literal["solid", "dash"]
LabelSide = Literal[
    "above", "below", "left", "right", "above left", "above right", "below left", "below right", "centre"
]
Floats = tuple[float, ...]
CUT = "(axis does not start at 0)"


@dataclass(frozen=True)
class Line:
    """`name` is shown on hovering; `symbol` marks the points if there is one."""

    name: str
    x: Floats
    y: Floats
    color: str
    dash: Dash = "solid"
    width: float = 1.5
    opacity: float = 1.0
    symbol: str | None = None


@dataclass(frozen=True)
class Band:
    """confidence: that of a confidence band; None for another, such as the extremes of the seeds."""

    x: Floats
    low: Floats
    high: Floats
    color: str
    confidence: float | None = None


@dataclass(frozen=True)
class Points:
    """`low` and `high` are ends of vertical intervals of this `confidence`, empty where there are none; `hollow` draws
    outlines.

    labels: a text beside each point, or on it; empty writes none. label_color: None takes the points' own.
    """

    name: str
    x: Floats
    y: Floats
    color: str
    symbol: str
    size: float = 7
    opacity: float = 1.0
    hollow: bool = False
    low: Floats = ()
    high: Floats = ()
    confidence: float | None = None
    labels: tuple[str, ...] = ()
    label_side: LabelSide = "above"
    label_color: str | None = None


@dataclass(frozen=True)
class Axis:
    title: str
    low: float
    high: float
    log: bool = False
    ticks: Floats = ()
    """Positions of the ticks; empty: the renderer chooses."""
    share: bool = False
    """Whether values are shares, to be read as percentages."""
    labels: tuple[str, ...] = ()
    """What to write at the ticks; empty writes their values."""

    @property
    def height_title(self) -> str:
        """The title of a vertical axis, with a second line where a linear axis does not start at zero, so that
        heights do not compare. A logarithmic axis has no zero, a named place no value."""
        cut = self.low > 0 and not self.log and not self.labels
        return f"{self.title}\n{CUT}" if cut else self.title


@dataclass(frozen=True)
class Panel:
    title: str
    x: Axis
    y: Axis
    bands: tuple[Band, ...] = ()
    lines: tuple[Line, ...] = ()
    points: tuple[Points, ...] = ()
    over: tuple[Line, ...] = ()
    """Lines drawn over the points."""


@dataclass(frozen=True)
class Key:
    """One entry of a figure's legend. `color` None: it holds for all colours."""

    label: str
    color: str | None
    mark: str
    """solid, dash, faint, ring, frame, swatch, ended, or the name of a marker."""


@dataclass(frozen=True)
class Figure:
    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    keys: tuple[Key, ...]
    columns: int = 3


def spanning(title: str, values: Sequence[float], *, log: bool = False, share: bool = False) -> Axis:
    """An axis over `values` with a little room at both ends. `values` must not be empty."""
    low, high = min(values), max(values)
    if log:
        room = (high / low) ** 0.08 if high > low else 1.5
        return Axis(title, low / room, high * room, log=True, ticks=decade_ticks(low / room, high * room))
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return Axis(title, low - room, high + room, share=share)


def decade_ticks(low: float, high: float) -> Floats:
    """1, 2 and 5 times powers of ten inside the span; the powers alone when they are many.

    >>> decade_ticks(0.15, 1.2), decade_ticks(3.0, 2e5)
    ((0.2, 0.5, 1.0), (10.0, 100.0, 1000.0, 10000.0, 100000.0))
    """
    from matplotlib.ticker import LogLocator

    decades = math.ceil(math.log10(high)) - math.floor(math.log10(low))
    locator = LogLocator(subs=(1.0, 2.0, 5.0) if decades <= 3 else (1.0,), numticks=99)
    return _inside(locator.tick_values(low, high), low, high)


def round_ticks(low: float, high: float, *, most: int = 5) -> Floats:
    """Round numbers inside the span, at steps of 1, 2 or 5 times a power of ten.

    >>> round_ticks(-0.31, 0.12)
    (-0.3, -0.2, -0.1, 0.0, 0.1)
    """
    from matplotlib.ticker import MaxNLocator

    return _inside(MaxNLocator(nbins=most, steps=[1, 2, 5, 10]).tick_values(low, high), low, high)


def _inside(ticks: Iterable[float], low: float, high: float) -> Floats:
    # Rounding removes the error of multiplying by a power of ten; + 0.0 makes a negative zero a plain one.
    return tuple(float(f"{tick:.12g}") + 0.0 for tick in ticks if low <= tick <= high)


def spanning_counts(title: str, values: Sequence[float]) -> Axis:
    """For sizes and costs: logarithmic where they span a factor of five or more."""
    return spanning(title, values, log=min(values) > 0 and max(values) >= 5 * min(values))


def arm_keys(arms: Sequence[ArmFact]) -> tuple[Key, ...]:
    """The legend of a figure that shows several arms: those with a finished run."""
    return tuple(Key(arm.label, color_of(arm), symbol_of(arm)) for arm in arms if arm.finished)

"""The comparisons as strips on a number line: intervals, a dot for every seed, zero and the margin."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from stacklab.report.facts.build import Facts
from stacklab.report.facts.contrasts import ContrastFact
from stacklab.report.format.numbers import alone, signed
from stacklab.run.metrics import Metric, Style
from stacklab.stats.result import Estimate, Result

Span = tuple[float, float]

WIDEST = 1.5
"""How far a t interval may stretch the axis beyond everything else, in widths of the rest. Few seeds make it huge."""


@dataclass(frozen=True)
class Dot:
    """A difference that a seed gives. `title` is shown on hovering."""

    place: float
    title: str


@dataclass(frozen=True)
class Strip:
    """One comparison. Intervals are None where undefined."""

    contrast: ContrastFact
    t: Span | None
    bootstrap: Span | None
    dots: tuple[Dot, ...]

    @property
    def name(self) -> str:
        name = f"{self.contrast.arm_label} − {self.contrast.against_label}"
        return f"{name} (unpaired)" if self.contrast.pairing == "unpaired" else name


@dataclass(frozen=True)
class StripGroup:
    """One claim against each of its arms, on a shared axis from `low` to `high`."""

    claim: str
    metric: Metric
    direction: str
    margin: float | None
    low: float
    high: float
    ticks: tuple[float, ...]
    strips: tuple[Strip, ...]

    def place(self, value: float) -> float:
        """Position on the axis in per cent of its length, kept within it."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def beyond(self, value: float) -> bool:
        return not self.low <= value <= self.high


def strip_groups(facts: Facts) -> list[StripGroup]:
    """By claim, in the study's order."""
    return [_group(facts.metric(contrasts[0].metric), contrasts) for contrasts in facts.by_claim()]


def nice_ticks(low: float, high: float, *, most: int = 5) -> tuple[float, ...]:
    """Round numbers inside the span, at steps of 1, 2 or 5 times a power of ten.

    >>> nice_ticks(-0.31, 0.12)
    (-0.3, -0.2, -0.1, 0.0, 0.1)
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # round() takes off the dust of multiplying by a tenth; + 0.0 makes a negative zero a plain one.
    return tuple(round(number * step, 12) + 0.0 for number in range(first, last + 1))


def _group(metric: Metric, contrasts: Sequence[ContrastFact]) -> StripGroup:
    claim = contrasts[0].claim
    style = metric.style
    strips = tuple(
        Strip(
            contrast=contrast,
            t=_span(contrast.difference),
            bootstrap=_span(contrast.bootstrap),
            dots=tuple(_paired(style, contrast) if contrast.pairing == "paired" else _unpaired(style, contrast)),
        )
        for contrast in contrasts
    )
    low, high = _extent(strips, claim.margin)
    return StripGroup(
        claim=claim.id,
        metric=metric,
        direction=claim.direction,
        margin=claim.margin,
        low=low,
        high=high,
        ticks=nice_ticks(low, high),
        strips=strips,
    )


def _paired(style: Style, contrast: ContrastFact) -> Iterator[Dot]:
    """The raw paired differences."""
    for pair in contrast.pairs:
        gap = pair.arm - pair.against
        values = f"{alone(style, pair.arm)} − {alone(style, pair.against)}"
        yield Dot(gap, f"seed {pair.seed}: {values} = {signed(style, gap)}")


def _unpaired(style: Style, contrast: ContrastFact) -> Iterator[Dot]:
    """Every run of either arm against the mean of the other: both scatter about the difference of the means."""
    if not contrast.pairs:
        return
    arm, against = (fmean(getattr(pair, side) for pair in contrast.pairs) for side in ("arm", "against"))
    for pair in contrast.pairs:
        for gap, label in ((pair.arm - against, contrast.arm_label), (arm - pair.against, contrast.against_label)):
            yield Dot(gap, f"{label}, seed {pair.seed}, against the other's mean: {signed(style, gap)}")


def _extent(strips: Sequence[Strip], margin: float | None) -> Span:
    ends = [0.0] if margin is None else [-margin, margin]
    for strip in strips:
        ends += [*(dot.place for dot in strip.dots), *(strip.bootstrap or ())]
    low, high = min(ends), max(ends)
    reach = WIDEST * (high - low)
    spans = [strip.t for strip in strips if strip.t]
    low = max(low - reach, min([low, *(span[0] for span in spans)]))
    high = min(high + reach, max([high, *(span[1] for span in spans)]))
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _span(result: Result) -> Span | None:
    return (result.low, result.high) if isinstance(result, Estimate) else None

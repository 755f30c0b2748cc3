"""The forest plot of the claims: every comparison on a number line, with its intervals, a dot for every seed, zero and
the margin. The page draws it from the data; `draw_forest` draws one picture, for Markdown."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stacklab.base.units import confidence
from stacklab.report.drawing.figure import round_ticks
from stacklab.report.drawing.matplotlib import style
from stacklab.report.facts.build import Facts
from stacklab.report.facts.contrasts import ContrastFact
from stacklab.report.format.numbers import alone, signed, tick
from stacklab.report.format.table import TextTable
from stacklab.report.format.verdicts import mark_of
from stacklab.run.metrics import Metric, Style
from stacklab.stats.check import LARGEST
from stacklab.stats.describe import mean
from stacklab.stats.result import Estimate, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


Span = tuple[float, float]

WIDEST = 1.5
"""How far a t interval may stretch the axis beyond everything else, in widths of the rest. Few seeds make it huge."""


@dataclass(frozen=True)
class ForestDot:
    """The difference at one seed. `title` is shown on hovering."""

    place: float
    title: str


@dataclass(frozen=True)
class ForestRow:
    """One comparison. Intervals are None where undefined."""

    contrast: ContrastFact
    t: Span | None
    bootstrap: Span | None
    dots: tuple[ForestDot, ...]

    @property
    def name(self) -> str:
        name = f"{self.contrast.arm_label} − {self.contrast.against_label}"
        return f"{name} (unpaired)" if self.contrast.pairing == "unpaired" else name


@dataclass(frozen=True)
class ForestGroup:
    """One claim against each of its arms, on a shared axis from `low` to `high`."""

    claim: str
    metric: Metric
    direction: str
    margin: float | None
    low: float
    high: float
    ticks: tuple[float, ...]
    rows: tuple[ForestRow, ...]

    def place(self, value: float) -> float:
        """Position on the axis in per cent of its length, kept within it."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def beyond(self, value: float) -> bool:
        return not self.low <= value <= self.high


@dataclass(frozen=True)
class ForestBlock:
    """The page draws each group with its `pairs`, the values by seed; Markdown has `verdicts` and the picture called
    `name`."""

    kind: ClassVar[str] = "forest-plot"
    name: str
    groups: tuple[ForestGroup, ...]
    pairs: tuple[TextTable, ...]
    verdicts: TextTable


def forest_groups(facts: Facts, *, confirmatory: bool = True) -> tuple[ForestGroup, ...]:
    """By claim, in the study's order."""
    chosen = [group for group in facts.by_claim() if group[0].confirmatory == confirmatory]
    return tuple(_group(facts.metric(contrasts[0].metric), contrasts) for contrasts in chosen)


def _group(metric: Metric, contrasts: Sequence[ContrastFact]) -> ForestGroup:
    claim = contrasts[0].claim
    style = metric.style
    rows = tuple(
        ForestRow(
            contrast=contrast,
            t=_span(contrast.difference),
            bootstrap=_span(contrast.bootstrap),
            dots=tuple(_paired(style, contrast) if contrast.pairing == "paired" else _unpaired(style, contrast)),
        )
        for contrast in contrasts
    )
    low, high = _extent(rows, claim.margin)
    return ForestGroup(
        claim=claim.id,
        metric=metric,
        direction=claim.direction,
        margin=claim.margin,
        low=low,
        high=high,
        ticks=round_ticks(low, high),
        rows=rows,
    )


def _paired(style: Style, contrast: ContrastFact) -> Iterator[ForestDot]:
    """The raw paired differences."""
    for pair in contrast.pairs:
        gap = pair.arm - pair.against
        values = f"{alone(style, pair.arm)} − {alone(style, pair.against)}"
        yield ForestDot(gap, f"seed {pair.seed}: {values} = {signed(style, gap)}")


def _unpaired(style: Style, contrast: ContrastFact) -> Iterator[ForestDot]:
    """Every run of either arm against the mean of the other: both scatter about the difference of the means."""
    if not contrast.pairs:
        return
    arm, against = (mean([getattr(pair, side) for pair in contrast.pairs]) for side in ("arm", "against"))
    for pair in contrast.pairs:
        for gap, label in ((pair.arm - against, contrast.arm_label), (arm - pair.against, contrast.against_label)):
            yield ForestDot(gap, f"{label}, seed {pair.seed}, against the other's mean: {signed(style, gap)}")


def _extent(rows: Sequence[ForestRow], margin: float | None) -> Span:
    ends = [0.0] if margin is None else [-margin, margin]
    for row in rows:
        ends += [*(dot.place for dot in row.dots), *(row.bootstrap or ())]
    # Values too large to compute with are too large to draw: they lie beyond the axis.
    low, high = max(min(ends), -LARGEST), min(max(ends), LARGEST)
    reach = WIDEST * (high - low)
    spans = [row.t for row in rows if row.t]
    low = max(low - reach, min([low, *(span[0] for span in spans)]))
    high = min(high + reach, max([high, *(span[1] for span in spans)]))
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _span(result: Result) -> Span | None:
    return (result.low, result.high) if isinstance(result, Estimate) else None


ROW, LINE, AROUND = 0.34, 0.16, 0.85
"""Heights in inches: of a comparison, of a line of its verdict, and of what surrounds those of one claim."""
BROAD = 20
"""Characters of a line of a verdict in the picture."""


def draw_forest(groups: Sequence[ForestGroup]) -> "Drawing":
    """One number line per claim, one row per comparison. `groups` must not be empty."""
    from matplotlib.figure import Figure as Drawing

    heights = [
        max(max(ROW, LINE * (1 + _verdict(row).count("\n"))) for row in group.rows) * len(group.rows)
        for group in groups
    ]
    total = sum(heights) + AROUND * len(groups)
    with style():
        drawing = Drawing(figsize=(10, total))
        top = total
        for group, height in zip(groups, heights, strict=True):
            bottom = top - 0.35 - height
            axes = drawing.add_axes((0.34, bottom / total, 0.5, height / total))
            _draw_group(axes, group)
            top -= AROUND + height
    return drawing


def _verdict(row: ForestRow) -> str:
    """The verdict in lines."""
    return textwrap.fill(f"{mark_of(row.contrast).glyph} {row.contrast.word}", BROAD)


def _draw_group(axes: "Axes", group: ForestGroup) -> None:
    axes.set(xlim=(group.low, group.high), ylim=(-0.6, len(group.rows) - 0.4))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    level = confidence(1 - group.rows[0].contrast.claim.level)
    axes.set_title(f"{group.metric.title}: difference, {level} CI", fontweight="bold")
    axes.set_yticks(range(len(group.rows)), [row.name for row in group.rows])
    axes.tick_params(axis="y", length=0)
    axes.set_xticks(list(group.ticks), [tick(group.metric.style, value) for value in group.ticks])
    axes.axvline(0, color="#333333", lw=1)
    if group.margin is not None:
        axes.axvspan(-group.margin, group.margin, color="#009E73", alpha=0.12, lw=0)
    for place, row in enumerate(group.rows):
        mark = mark_of(row.contrast)
        if row.t:
            axes.plot(row.t, (place, place), color=mark.color, lw=2, solid_capstyle="butt")
        if row.bootstrap:
            axes.plot(row.bootstrap, (place, place), color=mark.color, lw=6, alpha=0.3, solid_capstyle="butt")
        shown = [dot.place for dot in row.dots if not group.beyond(dot.place)]
        axes.plot(shown, [place] * len(shown), "o", ms=3.5, color="#222222", alpha=0.8)
        axes.annotate(
            _verdict(row),
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            color=mark.color,
            fontweight="bold",
        )

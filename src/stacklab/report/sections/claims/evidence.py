"""The evidence behind each verdict: tests, corrections, sizes of effects; all arms against the control;
and the power of the tests."""

from collections.abc import Callable

from stacklab.base.units import confidence
from stacklab.report.drawing.figure import Axis, Band, Figure, Key, Line, Panel
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.facts.contrasts import ContrastFact
from stacklab.report.facts.references import ControlFact
from stacklab.report.format.numbers import NOTHING, difference_text, percent
from stacklab.report.format.palette import color_of
from stacklab.report.format.table import (
    Columns,
    CsvTable,
    TextCell,
    TextTable,
    in_sections,
    interval_columns,
    text_row,
    value_or_none,
)
from stacklab.report.sections.section import Section, single_figure
from stacklab.run.metrics import describe
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.needed import power_curve, too_few_pilots
from stacklab.stats.result import Estimate, PValue, Result, Tested
from stacklab.study.results.compute import EffectiveCompute

SIZE_HEADS = (
    TextCell("difference, share", "of the other arm's loss"),
    TextCell("effective compute", "FLOPs of the worse arm / of the better, to the same loss"),
)


def size_cells(contrast: ContrastFact) -> tuple[TextCell, TextCell]:
    """One cell for each of HEADS."""
    return _share_cell(contrast), _compute_cell(contrast)


def compute_problem(contrast: ContrastFact) -> str:
    """Why a claim on a final loss has no effective compute; empty if it has one, and for other claims."""
    return contrast.compute.reason if contrast.compute is not None and contrast.compute.kind == "undefined" else ""


def size_columns() -> Columns[ContrastFact]:
    """Shares with the ends of their interval, and ratios with their range over seeds; empty where there is none."""

    def share(end: str) -> Callable[[ContrastFact], float | None]:
        return lambda row: None if (scaled := loss_share(row)) is None else getattr(scaled, end)

    def compute(field: str) -> Callable[[ContrastFact], str | float | None]:
        return lambda row: getattr(row.compute, field, None)

    return {
        "difference_share": share("value"),
        "difference_share_low": share("low"),
        "difference_share_high": share("high"),
        "difference_share_confidence": share("level"),
        "compute_better_arm": compute("better"),
        "compute_times": compute("times"),
        "compute_times_low": compute("low"),
        "compute_times_high": compute("high"),
    }


def loss_share(contrast: ContrastFact) -> Estimate | None:
    """The difference and its interval as shares of the other arm's mean loss, which is taken as exact; None for other
    metrics and where either is undefined."""
    difference, against = contrast.difference, contrast.against_mean
    if describe(contrast.metric).style != "loss":
        return None
    if not isinstance(difference, Estimate) or not isinstance(against, Estimate) or against.value <= 0:
        return None
    ends = {name: getattr(difference, name) / against.value for name in ("value", "low", "high")}
    return difference.model_copy(update=ends)


def _share_cell(contrast: ContrastFact) -> TextCell:
    share = loss_share(contrast)
    if share is None:
        return TextCell(NOTHING)
    return TextCell(percent(share.value), f"{confidence(share.level)} CI {percent(share.low)} to {percent(share.high)}")


def _compute_cell(contrast: ContrastFact) -> TextCell:
    compute = contrast.compute
    if not isinstance(compute, EffectiveCompute):
        return TextCell(NOTHING)
    label = contrast.arm_label if compute.better == contrast.arm else contrast.against_label
    times, low, high = (f"{number:.2g}" for number in (compute.times, compute.low, compute.high))
    return TextCell(f"{times} times", f"{label}; {low} to {high} over seeds")


P_VALUES = ("test", "holm", "benjamini_hochberg", "permutation")
SIZES = ("effect", "superiority", "correlation")
HEADS = (
    TextCell("Claim"),
    TextCell("level", "with which p is compared"),
    TextCell("p", "of the test that decides"),
    TextCell("p, Holm", "all claims together"),
    TextCell("p, BH", "false discovery rate"),
    TextCell("p, permutation", "no normality assumed"),
    TextCell("p, solving", "seeds that solve, Fisher"),
    TextCell("effect", "standard deviations"),
    TextCell("better at", "share of seeds"),
    TextCell("correlation", "between paired runs"),
    *SIZE_HEADS,
)


UNPAIRED = (
    "unpaired: the arms differ in a setting that changes the batches, so their runs are two groups: Welch's t test, a "
    "permutation of the runs between the arms, the effect in standard deviations of a run (Hedges g), the share of all "
    "pairs of runs at which the arm is better."
)


def evidence(facts: Facts) -> TextTable:
    """A comparison a row; what is undefined is a dash, and the notes say why."""
    rows = tuple(_row(contrast) for contrast in facts.contrasts)
    missing = {
        result.reason
        for contrast in facts.contrasts
        if contrast.verdict != "invalid"
        for result in (*_tests(contrast), *_sizes(contrast))
        if result.kind == "undefined"
    }
    missing |= {reason for contrast in facts.contrasts if (reason := compute_problem(contrast))}
    groups = [UNPAIRED] if any(contrast.pairing == "unpaired" for contrast in facts.contrasts) else []
    return TextTable(HEADS, rows, notes=(*groups, *(f"{NOTHING}: {reason}" for reason in sorted(missing))))


def against_control(facts: Facts) -> TextTable | None:
    """Every arm against the study's control, a metric a section."""
    if not facts.against_control:
        return None
    rows = []
    for row in facts.against_control:
        metric = facts.metric(row.metric)
        difference = difference_text(metric.style, row.difference)
        rows.append((metric.title, text_row(row.label, row.control, difference, f"{row.level:.3g}", p_text(row.p))))
    level = TextCell("level", "with which p is compared")
    heads = (*text_row("Arm", "Control"), TextCell("difference", "simultaneous CI"), level, TextCell("p", "Dunnett"))
    return TextTable(heads, *in_sections(rows))


def evidence_columns() -> Columns[ContrastFact]:
    """p values and sizes with their ends; cells are empty where one is undefined, facts.json says why."""

    def p_value(name: str) -> Callable[[ContrastFact], float | None]:
        return lambda row: _p(getattr(row.evidence, name))

    def end(name: str, field: str) -> Callable[[ContrastFact], float | None]:
        return lambda row: getattr(getattr(row.evidence, name), field, None)

    ends = (("", "value"), ("_low", "low"), ("_high", "high"), ("_confidence", "level"))
    sizes = {f"{name}{suffix}": end(name, field) for name in SIZES for suffix, field in ends}
    return {**{name: p_value(name) for name in (*P_VALUES, "solving")}, **sizes, **size_columns()}


def control_csv(facts: Facts) -> CsvTable[ControlFact]:
    return CsvTable(
        "control.csv",
        facts.against_control,
        {
            "metric": lambda row: row.metric,
            "arm": lambda row: row.arm,
            "control": lambda row: row.control,
            "difference": lambda row: value_or_none(row.difference),
            **interval_columns(lambda row: row.difference),
            "level": lambda row: row.level,
            "p": lambda row: _p(row.p),
        },
    )


def p_text(test: Tested | None) -> str:
    """
    >>> p_text(PValue(p=0.0314, n=5, method="t")), p_text(PValue(p=1e-6, n=5, method="t"))
    ('0.031', '< 0.0001')
    """
    if not isinstance(test, PValue):
        return NOTHING
    return "< 0.0001" if test.p < 1e-4 else f"{test.p:.2g}"


def _p(test: Tested) -> float | None:
    return test.p if isinstance(test, PValue) else None


def _tests(contrast: ContrastFact) -> tuple[Tested, ...]:
    return tuple(getattr(contrast.evidence, name) for name in P_VALUES)


def _sizes(contrast: ContrastFact) -> tuple[Result, ...]:
    return tuple(getattr(contrast.evidence, name) for name in SIZES)


def _row(contrast: ContrastFact) -> tuple[TextCell, ...]:
    name = TextCell(contrast.statement, "unpaired" if contrast.pairing == "unpaired" else "")
    if contrast.verdict == "invalid":
        return (name, *(TextCell(NOTHING) for _ in HEADS[1:]))
    effect, superiority, correlation = _sizes(contrast)
    sizes = (_plain(effect), _plain(superiority, percent=True), _plain(correlation))
    level = TextCell(f"{contrast.claim.level:.3g}")
    tests = (*_tests(contrast), contrast.evidence.solving)
    return (name, level, *(TextCell(p_text(test)) for test in tests), *sizes, *size_cells(contrast))


def _plain(result: Result, *, percent: bool = False) -> TextCell:
    if result.kind == "undefined":
        return TextCell(NOTHING)
    value, low, high = (
        f"{100 * number:.0f}" if percent else f"{number:.2f}" for number in (result.value, result.low, result.high)
    )
    unit = " %" if percent else ""
    interval = f"{confidence(result.level)} CI {low} to {high}{unit}"
    return TextCell(f"{value}{unit}".replace("-", "−"), interval.replace("-", "−"))


NEUTRAL = "#6B6B6B"
LEAST_REACH, MOST_REACH = 12, 40
"""Seeds up to which the curves are drawn: four times those of the study, between these."""


def power(facts: Facts) -> Section | None:
    return single_figure(power_figure(facts), nav="Power")


def power_figure(facts: Facts) -> Figure | None:
    """Power of the test that decides, by claim: a line per arm that it is compared with, and the band that the interval
    of the effect allows. Without a claim of a difference that rests on enough seeds there is none."""
    reach = min(MOST_REACH, max(LEAST_REACH, 4 * len(facts.seeds)))
    claims = [shown for contrasts in facts.by_claim() if (shown := [one for one in contrasts if _has_power(one)])]
    if not claims:
        return None
    against = {contrast.against: facts.arm(contrast.against) for contrasts in claims for contrast in contrasts}
    return Figure(
        name="power",
        title="Power against seeds",
        caption="Probability that the t interval that decides excludes zero. Line: for the estimated effect (Hedges). "
        "Band: for all effects in its confidence interval, from which the numbers of seeds in the text follow; where "
        "it includes 0, no number of seeds is enough for its lower edge. Dashes: the power that the claim names, "
        "and the number of seeds run.",
        panels=tuple(_panel(facts, contrasts, reach) for contrasts in claims),
        keys=tuple(Key(f"against {arm.label}", color_of(arm), "solid") for arm in against.values()),
    )


def _has_power(contrast: ContrastFact) -> bool:
    enough = not too_few_pilots(len(contrast.pairs))
    return contrast.claim.margin is None and isinstance(contrast.evidence.effect, Estimate) and enough


def _panel(facts: Facts, contrasts: list[ContrastFact], reach: int) -> Panel:
    claim = contrasts[0].claim
    marks = (
        Line("power of the claim", (2.0, float(reach)), (claim.power,) * 2, NEUTRAL, dash="dash", width=1.0),
        Line("seeds run", (float(len(facts.seeds)),) * 2, (0.0, 1.0), NEUTRAL, dash="dash", width=1.0),
    )
    curves = [_curve(contrast, facts.arm(contrast.against), reach) for contrast in contrasts]
    bands, lines = tuple(band for band, _ in curves), tuple(line for _, line in curves)
    x = Axis("seeds", 1.5, reach + 0.5)
    return Panel(claim.id, x, Axis("power", -0.02, 1.02, share=True), bands=bands, lines=(*marks, *lines))


def _curve(contrast: ContrastFact, against: ArmFact, reach: int) -> tuple[Band, Line]:
    effect = contrast.evidence.effect
    assert isinstance(effect, Estimate)
    curve = power_curve(COMPARISONS[contrast.pairing], effect, reach=reach, level=contrast.claim.level)
    x = tuple(map(float, curve.seeds))
    name = f"against {against.label}" + (" (unpaired)" if contrast.pairing == "unpaired" else "")
    band = Band(x, curve.least, curve.most, color_of(against), confidence=effect.level)
    return band, Line(name, x, curve.estimated, color_of(against))

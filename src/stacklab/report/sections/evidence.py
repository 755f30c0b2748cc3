"""What stands behind each verdict, as a table."""

from stacklab.report.facts.build import Facts
from stacklab.report.facts.contrasts import ContrastFact
from stacklab.report.format.numbers import NOTHING, difference_text
from stacklab.report.sections.tables import Cell, Table
from stacklab.stats.result import PValue, Result, Tested

HEADS = (
    Cell("Claim"),
    Cell("p", "of the test that decides"),
    Cell("p, Holm", "all claims together"),
    Cell("p, BH", "false discovery rate"),
    Cell("p, permutation", "no normality assumed"),
    Cell("effect", "standard deviations"),
    Cell("better at", "share of seeds"),
    Cell("correlation", "between paired runs"),
)


UNPAIRED = (
    "unpaired: the arms differ in what moves the batches, so their runs are two groups: Welch's t test, runs dealt "
    "anew between the arms, the effect in standard deviations of a run (Hedges g), better at a share "
    "of all pairs of runs."
)


def evidence(facts: Facts) -> Table:
    """A comparison a row; what cannot be had stands as a dash, and the notes say why."""
    rows = tuple(_row(contrast) for contrast in facts.contrasts)
    missing = {
        found.reason
        for contrast in facts.contrasts
        if contrast.verdict != "invalid"
        for found in (*_tests(contrast), *_sizes(contrast))
        if found.kind == "undefined"
    }
    groups = [UNPAIRED] if any(contrast.pairing == "unpaired" for contrast in facts.contrasts) else []
    return Table(HEADS, rows, notes=(*groups, *(f"{NOTHING}: {reason}" for reason in sorted(missing))))


def against_control(facts: Facts) -> Table | None:
    """Every arm against the study's control, a metric a section."""
    if not facts.against_control:
        return None
    rows: list[tuple[Cell, ...]] = []
    sections: list[tuple[int, str]] = []
    for found in facts.against_control:
        metric = facts.metric(found.metric)
        if not sections or sections[-1][1] != metric.title:
            sections.append((len(rows), metric.title))
        difference = Cell(difference_text(metric.style, found.difference))
        rows.append((Cell(found.label), Cell(found.control), difference, Cell(p_text(found.p))))
    heads = (Cell("Arm"), Cell("Control"), Cell("difference", "simultaneous interval"), Cell("p", "Dunnett"))
    return Table(heads, tuple(rows), tuple(sections))


def p_text(test: Tested) -> str:
    """
    >>> p_text(PValue(p=0.0314, n=5, method="t")), p_text(PValue(p=1e-6, n=5, method="t"))
    ('0.031', '< 0.0001')
    """
    if not isinstance(test, PValue):
        return NOTHING
    return "< 0.0001" if test.p < 1e-4 else f"{test.p:.2g}"


def _tests(contrast: ContrastFact) -> tuple[Tested, ...]:
    found = contrast.evidence
    return found.test, found.holm, found.benjamini_hochberg, found.permutation


def _sizes(contrast: ContrastFact) -> tuple[Result, ...]:
    found = contrast.evidence
    return found.effect, found.superiority, found.correlation


def _row(contrast: ContrastFact) -> tuple[Cell, ...]:
    name = Cell(contrast.statement, "unpaired" if contrast.pairing == "unpaired" else "")
    if contrast.verdict == "invalid":
        return (name, *(Cell(NOTHING) for _ in HEADS[1:]))
    effect, superiority, correlation = _sizes(contrast)
    sizes = (_plain(effect), _plain(superiority, percent=True), _plain(correlation))
    return (name, *(Cell(p_text(test)) for test in _tests(contrast)), *sizes)


def _plain(found: Result, *, percent: bool = False) -> Cell:
    if found.kind == "undefined":
        return Cell(NOTHING)
    value, low, high = (
        f"{100 * number:.0f}" if percent else f"{number:.2f}" for number in (found.value, found.low, found.high)
    )
    unit = " %" if percent else ""
    return Cell(f"{value}{unit}".replace("-", "−"), f"{low} to {high}{unit}".replace("-", "−"))

"""The fewest seeds at which arms that do not vary are decided, exact."""

from bisect import bisect_left

from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.comparison import COMPARISONS, Comparison
from stacklab.stats.verdict import Rule, judge

FAMILIES = (1, 3, 12, 21)
MOST = 400
CASES: dict[str, tuple[float, float, Rule, str]] = {
    "separated": (0.3, 0.1, Rule("higher"), "supported"),
    "identical, equivalence": (0.3, 0.3, Rule("equivalent", 0.1), "equivalent"),
    "accuracies 1 and 0": (1.0, 0.0, Rule("higher", bounded=True), "supported"),
    **{
        f"accuracies both 1, margin ±{margin:g}": (1.0, 1.0, Rule("equivalent", margin, bounded=True), "equivalent")
        for margin in (0.02, 0.05, 0.1, 0.2)
    },
}
"""The values of both arms at every seed, the claim, and the verdict."""


def constants(repeats: int, seed: int) -> Table:
    """For a claim alone, and for one that Holm's correction takes first among several."""
    rows = [
        Row(
            keys=(name, pairing),
            values=tuple(fewest(*case, by=by, level=LEVEL / family) for family in FAMILIES),
        )
        for name, case in CASES.items()
        for pairing, by in COMPARISONS.items()
    ]
    return Table(
        name="constants",
        title="Fewest seeds per arm that decide where nothing varies, exact",
        caption="alone, and as the first of several claims under Holm's correction",
        repeats=0,
        keys=("every seed", "arms"),
        columns=tuple(Column(heading=f"{family} claim{'s' * (family > 1)}", digits=0) for family in FAMILIES),
        rows=tuple(rows),
    )


def fewest(arm: float, against: float, rule: Rule, verdict: str, *, by: Comparison, level: float) -> int:
    """The fewest seeds with this verdict, which more seeds keep; MOST where there are none below it."""
    strict = rule._replace(level=level)

    def reached(seeds: int) -> bool:
        return judge([arm] * seeds, [against] * seeds, by=by, rule=strict).verdict == verdict

    return 2 + bisect_left(range(2, MOST), True, key=reached)

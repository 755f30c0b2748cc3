"""The largest error of verdicts on accuracies where seeds have exactly 1 or 0: every outcome is enumerated."""

import numpy as np

from stacklab.stats.calibration.noise import Floats
from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.verdict import Rule, difference_p_values, verdicts

SHARES = tuple(number / 100 for number in range(1, 100))
"""Of seeds that solve."""
EXACT_SEEDS = (3, 5, 10, 20, 50, 100)
FAMILIES = (1, 3, 12, 42)
MARGINS = (0.05, 0.1, 0.2, 0.5)


def exact(repeats: int, seed: int) -> Table:
    """The largest error over SHARES where seeds have exactly 1 or 0 and the other arm is steady: no simulation."""
    rows = []
    for count in EXACT_SEEDS:
        values = [*_false_higher(count), *(_false_equivalent(count, margin) for margin in MARGINS)]
        rows.append(Row(keys=(str(count),), values=tuple(values)))
    columns = [Column(heading=f"higher, K = {family}", most=LEVEL / family, digits=4) for family in FAMILIES]
    return Table(
        name="accuracies, exact",
        title="Seeds at exactly 1 or 0 against a steady arm: the largest error over all shares of failures, exact",
        caption="higher: falsely supported as higher at equal means, at level / K, the highest of 99 shares of seeds "
        "that solve; equal: falsely equivalent where the arm fails so often that the means differ by the margin",
        repeats=0,
        keys=("seeds",),
        columns=(*columns, *(Column(heading=f"equal ±{margin:g}", most=LEVEL) for margin in MARGINS)),
        rows=tuple(rows),
    )


def outcomes(count: int, failing: float) -> tuple[Floats, Floats]:
    """Every number of failures among `count` seeds: the accuracies, [count + 1, count], and its probability."""
    from scipy import stats

    failed = np.arange(count + 1)
    return np.where(np.arange(count) < failed[:, None], 0.0, 1.0), stats.binom.pmf(failed, count, failing)


def _false_higher(count: int) -> list[float]:
    """The highest error of SHARES at each share of the level."""
    most = [0.0] * len(FAMILIES)
    for share in SHARES:
        arm_KN, chance_K = outcomes(count, 1 - share)
        p_K = difference_p_values(arm_KN, np.full_like(arm_KN, share), by=COMPARISONS["paired"], bounded=True)
        higher_K = arm_KN.mean(axis=1) > share
        rates = [float(chance_K[higher_K & (p_K <= LEVEL / family)].sum()) for family in FAMILIES]
        most = [max(pair) for pair in zip(most, rates, strict=True)]
    return most


def _false_equivalent(count: int, margin: float) -> float:
    arm_KN, chance_K = outcomes(count, margin)
    rule = Rule("equivalent", margin, bounded=True)
    shown_K = verdicts(arm_KN, np.ones_like(arm_KN), by=COMPARISONS["paired"], rule=rule) == "equivalent"
    return float(chance_K[shown_K].sum())

"""The rule that turns paired differences into a verdict. The calibration runs this very rule."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

from stacklab.stats.check import ROUNDING, differences_problem
from stacklab.stats.paired import t_bounds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Direction = Literal["lower", "higher", "equivalent"]
Verdict = Literal["supported", "refuted", "equivalent", "inconclusive"]


def judge(
    differences: Sequence[float], *, direction: Direction, margin: float | None, level: float
) -> tuple[Verdict, str]:
    """The verdict on paired differences (arm minus against), and the sentence that says why.

    lower, higher: all of the 1 - level t interval on the claimed side of 0 supports, all of it on the other side
    refutes. equivalent: the 1 - 2 level interval inside ±margin shows equivalence, which is two one-sided tests at
    `level` (Schuirmann 1987); all of the 1 - level interval outside refutes. All else is inconclusive.

    >>> judge([-0.2, -0.3, -0.25], direction="lower", margin=None, level=0.05)
    ('supported', '95% interval of the difference [-0.3742, -0.1258] excludes 0')
    """
    if reason := differences_problem(differences):
        return "inconclusive", reason
    import numpy as np

    row = np.array([differences], dtype=float)
    verdict = cast(Verdict, str(verdicts(row, direction=direction, margin=margin, level=level)[0]))
    # Two one-sided tests at `level` are one interval of 1 - 2 level.
    shown = 2 * level if verdict == "equivalent" else level
    (low,), (high,) = t_bounds(row, shown)
    interval = f"{100 * (1 - shown):.4g}% interval of the difference [{low:+.4g}, {high:+.4g}]"
    return verdict, f"{interval} {_why(verdict, direction, margin)}"


def verdicts(
    differences_RN: "NDArray[np.float64]", *, direction: Direction, margin: float | None, level: float
) -> "NDArray[np.str_]":
    """The verdict on each of R rows of N paired differences, N at least 2, all finite."""
    import numpy as np

    low_R, high_R = t_bounds(differences_RN, level)
    if direction == "equivalent":
        assert margin is not None
        inner_low_R, inner_high_R = t_bounds(differences_RN, 2 * level)
        inside_R = (-margin < inner_low_R) & (inner_high_R < margin)
        outside_R = (low_R > margin) | (high_R < -margin)
        found_R = np.select([inside_R, outside_R], ["equivalent", "refuted"], "inconclusive")
    else:
        below_R, above_R = high_R < 0, low_R > 0
        sides = [below_R, above_R] if direction == "lower" else [above_R, below_R]
        found_R = np.select(sides, ["supported", "refuted"], "inconclusive")
    flat_R = np.ptp(differences_RN, axis=1) <= ROUNDING * np.abs(differences_RN).max(axis=1)
    return np.where(flat_R, "inconclusive", found_R)


def _why(verdict: Verdict, direction: Direction, margin: float | None) -> str:
    if direction == "equivalent":
        where = {"equivalent": "lies within", "refuted": "lies outside"}.get(verdict, "crosses")
        return f"{where} ±{margin:g}"
    return {"supported": "excludes 0", "refuted": "lies on the side not claimed"}.get(verdict, "includes 0")

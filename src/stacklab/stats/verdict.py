"""The rule that turns the values of two arms into a verdict. The calibration runs this function."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

from stacklab.stats.comparison import Comparison

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Direction = Literal["lower", "higher", "equivalent"]
Verdict = Literal["supported", "refuted", "equivalent", "inconclusive"]


def judge(
    arm: Sequence[float],
    against: Sequence[float],
    *,
    by: Comparison,
    direction: Direction,
    margin: float | None,
    level: float,
) -> tuple[Verdict, str]:
    """The verdict on `arm` minus `against`, and the sentence that says why.

    lower, higher: all of the 1 - level interval on the claimed side of 0 supports, all of it on the other side
    refutes. equivalent: the 1 - 2 level interval inside ±margin shows equivalence, which is two one-sided tests at
    `level` (Schuirmann 1987); all of the 1 - level interval outside refutes. All else is inconclusive. The interval
    is that of `by`: Student's over pairs, or Welch's over two groups.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> rule = {"by": COMPARISONS["paired"], "direction": "lower", "margin": None, "level": 0.05}
    >>> judge([1.0, 1.0, 1.0], [1.2, 1.3, 1.25], **rule)
    ('supported', '95% interval of the difference [-0.3742, -0.1258] excludes 0')
    """
    if reason := by.problem(arm, against):
        return "inconclusive", reason
    import numpy as np

    rows = np.array([arm], dtype=float), np.array([against], dtype=float)
    verdict = cast(Verdict, str(verdicts(*rows, by=by, direction=direction, margin=margin, level=level)[0]))
    # Two one-sided tests at `level` are one interval of 1 - 2 level.
    shown = 2 * level if verdict == "equivalent" else level
    (low,), (high,) = by.bounds(*rows, shown)
    interval = f"{100 * (1 - shown):.4g}% {by.word}interval of the difference [{low:+.4g}, {high:+.4g}]"
    return verdict, f"{interval} {_why(verdict, direction, margin)}"


def verdicts(
    arm_RN: "NDArray[np.float64]",
    against_RN: "NDArray[np.float64]",
    *,
    by: Comparison,
    direction: Direction,
    margin: float | None,
    level: float,
) -> "NDArray[np.str_]":
    """The verdict on each of R rows of N values of either arm, N at least 2, all finite.

    A row without spread has no interval and is inconclusive.
    """
    import numpy as np

    low_R, high_R = by.bounds(arm_RN, against_RN, level)
    if direction == "equivalent":
        assert margin is not None
        inner_low_R, inner_high_R = by.bounds(arm_RN, against_RN, 2 * level)
        inside_R = (-margin < inner_low_R) & (inner_high_R < margin)
        outside_R = (low_R > margin) | (high_R < -margin)
        return np.select([inside_R, outside_R], ["equivalent", "refuted"], "inconclusive")
    below_R, above_R = high_R < 0, low_R > 0
    sides = [below_R, above_R] if direction == "lower" else [above_R, below_R]
    return np.select(sides, ["supported", "refuted"], "inconclusive")


def _why(verdict: Verdict, direction: Direction, margin: float | None) -> str:
    if direction == "equivalent":
        where = {"equivalent": "lies within", "refuted": "lies outside"}.get(verdict, "crosses")
        return f"{where} ±{margin:g}"
    return {"supported": "excludes 0", "refuted": "lies on the side not claimed"}.get(verdict, "includes 0")

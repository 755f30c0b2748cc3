"""The rule that turns the values of two arms into a verdict. The calibration runs this function."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from stacklab.stats.comparison import Comparison
from stacklab.stats.result import Result, Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Direction = Literal["lower", "higher", "equivalent"]
Verdict = Literal["supported", "refuted", "equivalent", "inconclusive"]
Relation = Literal[
    "excludes zero",
    "lies on the side not claimed",
    "includes zero",
    "lies within the margin",
    "lies outside the margin",
    "crosses the margin",
]
"""How the interval that decides lies."""


class Decision(NamedTuple):
    """A verdict and what it rests on: the interval that decides, and how it lies.

    Without an interval nothing is decided: `interval` is then the reason, and `relation` None.
    """

    verdict: Verdict
    interval: Result
    relation: Relation | None


def judge(
    arm: Sequence[float],
    against: Sequence[float],
    *,
    by: Comparison,
    direction: Direction,
    margin: float | None,
    level: float,
) -> Decision:
    """The verdict on `arm` minus `against`, with the interval that decides.

    lower, higher: all of the 1 - level interval on the claimed side of 0 supports, all of it on the other side
    refutes. equivalent: the 1 - 2 level interval inside ±margin shows equivalence, which is two one-sided tests at
    `level` (Schuirmann 1987); all of the 1 - level interval outside refutes. All else is inconclusive. The interval
    is that of `by`: Student's over pairs, or Welch's over two groups.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> rule = {"by": COMPARISONS["paired"], "direction": "lower", "margin": None, "level": 0.05}
    >>> found = judge([1.0, 1.0, 1.0], [1.2, 1.3, 1.25], **rule)
    >>> found.verdict, round(found.interval.low, 4), round(found.interval.high, 4), found.relation
    ('supported', -0.3742, -0.1258, 'excludes zero')
    """
    if reason := by.problem(arm, against):
        return Decision("inconclusive", Undefined(reason=reason), None)
    import numpy as np

    rows = np.array([arm], dtype=float), np.array([against], dtype=float)
    verdict = cast(Verdict, str(verdicts(*rows, by=by, direction=direction, margin=margin, level=level)[0]))
    # Two one-sided tests at `level` are one interval of 1 - 2 level.
    interval = by.difference(arm, against, level=2 * level if verdict == "equivalent" else level)
    return Decision(verdict, interval, _relation(verdict, direction))


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


def _relation(verdict: Verdict, direction: Direction) -> Relation:
    if direction == "equivalent":
        margins: dict[Verdict, Relation] = {
            "equivalent": "lies within the margin",
            "refuted": "lies outside the margin",
            "inconclusive": "crosses the margin",
        }
        return margins[verdict]
    sides: dict[Verdict, Relation] = {
        "supported": "excludes zero",
        "refuted": "lies on the side not claimed",
        "inconclusive": "includes zero",
    }
    return sides[verdict]

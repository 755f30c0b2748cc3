"""The rule that turns the values of two arms into a verdict. The calibration runs this function.

A verdict rests on one p value, that of the difference or of the equivalence, which corrections for several claims can
use: two-sided t tests, exact tests where nothing varies, and for values in [0, 1] the weakest of the tests with and
without one more seed at the worst end, and of the failures that so few seeds could miss.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from stacklab.stats.comparison import Comparison
from stacklab.stats.result import Estimate, PValue, Result, Tested, Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Names = NDArray[np.str_]


def with_worst_seed(higher_RN: "Floats", lower_RN: "Floats") -> Iterator[tuple["Floats", "Floats"]]:
    """Both arms with one more seed that speaks most against `higher` being above `lower`, in two ways.

    `higher` fails, at 0, where `lower` is as good as it ever was; or `lower` solves, at 1, where `higher` is as bad as
    it ever was.
    """
    import numpy as np

    count = len(higher_RN)
    for high_R, low_R in ((np.zeros(count), lower_RN.max(axis=1)), (higher_RN.min(axis=1), np.ones(count))):
        yield np.column_stack([higher_RN, high_R]), np.column_stack([lower_RN, low_R])


def unseen(way_R: "Floats", *, seeds: int, seen_R: "Floats | float" = 0.0) -> "Floats":
    """The probability that `seeds` seeds show at most `seen_R` failures, where a share `way_R` of all seeds fails.

    With none seen, (1 - way)^seeds; a failure seen in part counts in part (Clopper and Pearson 1934, interpolated); 1
    for a way of 0 or less.

    >>> import numpy as np
    >>> unseen(np.array([0.05]), seeds=59).round(3), unseen(np.array([0.05]), seeds=3).round(3)
    (array([0.048]), array([0.857]))
    >>> unseen(np.array([0.05]), seeds=59, seen_R=1).round(3)
    array([0.199])
    """
    import numpy as np
    from scipy import special

    p_R: Floats = special.betainc(seeds - seen_R, seen_R + 1.0, 1.0 - np.clip(way_R, 0.0, 1.0))
    return p_R


def missed(values_RN: "Floats", least_R: "Floats") -> "Floats":
    """The probability of as few failures as `values_RN` show, where failures pull their mean down to `least_R`.

    A seed fails at 0, and else has the best value of its row; one between them has failed in part.
    """
    import numpy as np

    best_R = values_RN.max(axis=1)
    can_R, unit_R = best_R > 0, np.where(best_R > 0, best_R, 1.0)
    seen_R = np.where(can_R, (best_R[:, None] - values_RN).sum(axis=1) / unit_R, 0.0)
    return np.where(can_R, unseen(1.0 - least_R / unit_R, seeds=values_RN.shape[1], seen_R=seen_R), 0.0)


Direction = Literal["lower", "higher", "equivalent"]
Verdict = Literal["supported", "refuted", "equivalent", "negligible", "inconclusive"]
"""negligible: the difference is smaller than what matters."""
Relation = Literal[
    "excludes zero",
    "lies on the side not claimed",
    "includes zero",
    "includes zero with one more seed at the worst end",
    "lies within the margin",
    "lies outside the margin",
    "crosses the margin",
    "lies within the margin of too few seeds",
    "lies within what matters",
]
"""How the interval that decides lies."""


class Rule(NamedTuple):
    """What a verdict depends on, besides the values.

    margin: of an equivalence, else None. matters: the smallest difference of interest, in the metric's unit; None where
    none is stated. bounded: the values lie in [0, 1].
    """

    direction: Direction
    margin: float | None = None
    level: float = 0.05
    matters: float | None = None
    bounded: bool = False


class Decision(NamedTuple):
    """A verdict and what it rests on: the interval that decides, how it lies, and the p value of the test.

    Without an interval, `interval` is the reason and `relation` None: nothing varies, or there are too few values.
    within: of a negligible difference, the larger of two one-sided p values of its lying within ±matters; else 1.
    """

    verdict: Verdict
    interval: Result
    relation: Relation | None
    test: Tested
    within: float = 1.0


def judge(arm: Sequence[float], against: Sequence[float], *, by: Comparison, rule: Rule) -> Decision:
    """The verdict on `arm` minus `against`, with the interval that decides.

    lower, higher: the two-sided test at `level` supports a difference on the claimed side and refutes one on the other,
    unless the whole 1 - level interval lies within ±matters: then the difference is negligible. equivalent: two
    one-sided tests at `level` (Schuirmann 1987) show that it lies within ±margin; a 1 - level interval outside it
    refutes. All else is inconclusive. The tests are those of `by`: Student's over pairs, or Welch's over two groups.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> decision = judge([1.0, 1.0, 1.0], [1.2, 1.3, 1.25], by=COMPARISONS["paired"], rule=Rule("lower"))
    >>> decision.verdict, round(decision.interval.low, 4), round(decision.interval.high, 4), decision.relation
    ('supported', -0.3742, -0.1258, 'excludes zero')
    """
    problem = by.problem(arm, against)
    if problem and not by.is_flat(arm, against):
        return Decision("inconclusive", Undefined(reason=problem), None, Undefined(reason=problem))
    import numpy as np

    rows = np.array([arm], dtype=float), np.array([against], dtype=float)
    verdict = cast(Verdict, str(verdicts(*rows, by=by, rule=rule)[0]))
    if rule.margin is not None and verdict == "refuted":
        (p,), beyond = _beyond_p_values(*rows, by, rule.margin, rule.bounded), ", beyond the margin"
    else:
        (p,), beyond = p_values(*rows, by=by, rule=rule), ""
    method = _method(arm, against, by, rule) + beyond
    test = PValue(p=float(p), n=len(arm), method=method)
    within = 1.0
    if verdict == "negligible" and rule.matters is not None:
        within = float(_within_p_values(*rows, by, rule.matters, rule.bounded)[0])
    if problem:
        reason = f"{by.flat_text(arm, against)}; {test.method}, p = {test.p:.3g}"
        return Decision(verdict, Undefined(reason=reason), None, test, within)
    # Two one-sided tests at `level` are one interval of 1 - 2 level.
    interval = by.difference(arm, against, level=2 * rule.level if verdict == "equivalent" else rule.level)
    return Decision(verdict, interval, _relation(verdict, interval, rule), test, within)


def verdicts(arm_RN: "Floats", against_RN: "Floats", *, by: Comparison, rule: Rule) -> "Names":
    """The verdict on each of R rows of N values of either arm, N at least 2, all finite."""
    import numpy as np

    gap_R = arm_RN.mean(axis=1) - against_RN.mean(axis=1)
    shown_R = p_values(arm_RN, against_RN, by=by, rule=rule) <= rule.level
    if rule.direction == "equivalent":
        assert rule.margin is not None
        outside_R = _beyond_p_values(arm_RN, against_RN, by, rule.margin, rule.bounded) <= rule.level
        return np.select([shown_R, outside_R], ["equivalent", "refuted"], "inconclusive")
    sides = [gap_R < 0, gap_R > 0] if rule.direction == "lower" else [gap_R > 0, gap_R < 0]
    verdict_R = np.select([shown_R & side_R for side_R in sides], ["supported", "refuted"], "inconclusive")
    if rule.matters is None:
        return verdict_R
    low_R, high_R = by.bounds(arm_RN, against_RN, rule.level)
    # Where nothing varies, the interval is the difference itself.
    low_R, high_R = np.where(np.isnan(low_R), gap_R, low_R), np.where(np.isnan(high_R), gap_R, high_R)
    within_R = (-rule.matters < low_R) & (high_R < rule.matters)
    within_R &= _within_p_values(arm_RN, against_RN, by, rule.matters, rule.bounded) <= rule.level
    return np.where(within_R, "negligible", verdict_R)


def p_values(arm_RN: "Floats", against_RN: "Floats", *, by: Comparison, rule: Rule) -> "Floats":
    """The p value of the claim's test for each row: of a difference, two-sided, or of the equivalence."""
    if rule.direction != "equivalent":
        return difference_p_values(arm_RN, against_RN, by=by, bounded=rule.bounded)
    assert rule.margin is not None
    return _within_p_values(arm_RN, against_RN, by, rule.margin, rule.bounded)


def difference_p_values(arm_RN: "Floats", against_RN: "Floats", *, by: Comparison, bounded: bool) -> "Floats":
    """Two-sided p values of the difference. bounded: it must also hold with one more seed at the worst end."""
    return _beyond_p_values(arm_RN, against_RN, by, 0.0, bounded)


def _beyond_p_values(arm_RN: "Floats", against_RN: "Floats", by: Comparison, margin: float, bounded: bool) -> "Floats":
    """Two-sided p values of a difference beyond ±margin."""
    import numpy as np

    higher_R = _above(arm_RN, against_RN, by, margin, bounded)
    lower_R = _above(against_RN, arm_RN, by, margin, bounded)
    p_R: Floats = np.minimum(1.0, 2 * np.minimum(higher_R, lower_R))
    return p_R


def _within_p_values(arm_RN: "Floats", against_RN: "Floats", by: Comparison, margin: float, bounded: bool) -> "Floats":
    """The larger of two one-sided p values of a difference within ±margin."""
    import numpy as np

    higher_R = _above(arm_RN, against_RN, by, -margin, bounded)
    lower_R = _above(against_RN, arm_RN, by, -margin, bounded)
    p_R: Floats = np.maximum(higher_R, lower_R)
    return p_R


def _above(higher_RN: "Floats", lower_RN: "Floats", by: Comparison, shift: float, bounded: bool) -> "Floats":
    """One-sided p values of the difference, higher minus lower, above `shift`.

    Of bounded values the largest with one more seed at a worst end, and at least the probability that the seeds miss
    as many failures as would undo it: `unseen`, of the way to the shift with none seen, and `missed` of either arm.
    """
    import numpy as np

    p_R = by.p_above(higher_RN, lower_RN, shift)
    if bounded:
        # Where nothing varies, the seeds at the worst end decide alone.
        p_R = np.where(by.flat(higher_RN, lower_RN), 0.0, p_R)
        for worst in with_worst_seed(higher_RN, lower_RN):
            p_R = np.maximum(p_R, by.p_above(*worst, shift))
        least_R, most_R = lower_RN.mean(axis=1) + shift, higher_RN.mean(axis=1) - shift
        p_R = np.maximum(p_R, unseen(higher_RN.mean(axis=1) - least_R, seeds=higher_RN.shape[1]))
        p_R = np.maximum(p_R, np.maximum(missed(higher_RN, least_R), missed(1.0 - lower_RN, 1.0 - most_R)))
    return p_R


def _method(arm: Sequence[float], against: Sequence[float], by: Comparison, rule: Rule) -> str:
    if by.is_flat(arm, against):
        return (
            f"{by.pairing} t test with one more seed at the worst end" if rule.bounded else f"exact {by.pairing} test"
        )
    test = by.test(arm, against) if rule.margin is None else by.equivalence(arm, against, margin=rule.margin)
    assert isinstance(test, PValue)
    return f"{test.method}, also with one more seed at the worst end" if rule.bounded else test.method


def _relation(verdict: Verdict, interval: Result, rule: Rule) -> Relation:
    assert isinstance(interval, Estimate)
    if rule.direction == "equivalent":
        assert rule.margin is not None
        inside = -rule.margin < interval.low and interval.high < rule.margin
        too_few: Relation = "lies within the margin of too few seeds" if inside else "crosses the margin"
        margins: dict[Verdict, Relation] = {
            "equivalent": "lies within the margin",
            "refuted": "lies outside the margin",
            "inconclusive": too_few,
        }
        return margins[verdict]
    excludes = interval.low > 0 or interval.high < 0
    sides: dict[Verdict, Relation] = {
        "supported": "excludes zero",
        "refuted": "lies on the side not claimed",
        "negligible": "lies within what matters",
        "inconclusive": "includes zero with one more seed at the worst end" if excludes else "includes zero",
    }
    return sides[verdict]

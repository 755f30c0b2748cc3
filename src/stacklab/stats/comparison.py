"""Comparisons of two arms: paired by seed, or as two groups.

Both have the same interface, so that verdicts, evidence and the calibration are written once.
"""

from collections.abc import Sequence
from statistics import stdev
from typing import TYPE_CHECKING, Literal, Protocol

from stacklab.stats.check import ROUNDING, arms_problem, differences_problem, flat_rows, no_spread
from stacklab.stats.effect import (
    effect_size,
    pair_correlation,
    paired_superiority,
    pooled_spread,
    unpaired_effect_size,
    unpaired_superiority,
)
from stacklab.stats.paired import (
    paired_bootstrap,
    paired_t,
    paired_t_test,
    sign_flip,
    smallest_sign_flip_p,
    t_bounds,
    t_p_above,
    tost,
)
from stacklab.stats.power import Design, paired_design, unpaired_design
from stacklab.stats.result import Result, Tested, Undefined
from stacklab.stats.unpaired import (
    group_permutation,
    groups_problem,
    smallest_permutation_p,
    unpaired_bootstrap,
    welch,
    welch_bounds,
    welch_p_above,
    welch_test,
    welch_tost,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

Pairing = Literal["paired", "unpaired"]
Values = Sequence[float]


class Comparison(Protocol):
    """Statistics of `arm` minus `against`. `word` precedes "interval" in sentences: empty, or `unpaired `.

    level: the error level; intervals have confidence 1 - level. Every result may be `Undefined`, with the reason.
    """

    pairing: Pairing
    word: str

    def problem(self, arm: Values, against: Values) -> str:
        """Why the values allow no interval; empty if they allow one."""

    def is_flat(self, arm: Values, against: Values) -> bool:
        """Whether enough finite values allow no interval because nothing varies; exact tests may still decide."""

    def flat_text(self, arm: Values, against: Values) -> str:
        """What the values are then, as a sentence."""

    def flat(self, arm_RN: "Floats", against_RN: "Floats") -> "Bools":
        """Whether nothing varies, for each of R rows."""

    def p_above(self, arm_RN: "Floats", against_RN: "Floats", shift: float) -> "Floats":
        """One-sided p values of a difference above `shift`, for each of R rows; by exact tests where nothing
        varies."""

    def bounds(self, arm_RN: "Floats", against_RN: "Floats", level: float) -> "tuple[Floats, Floats]":
        """Ends of the interval that decides, for each of R rows; NaN where nothing varies."""

    def samples(self, arm_RN: "Floats", against_RN: "Floats") -> "tuple[Floats, ...]":
        """The samples that a bootstrap resamples independently."""

    def difference(self, arm: Values, against: Values, *, level: float) -> Result: ...
    def bootstrap(self, arm: Values, against: Values, *, level: float) -> Result: ...
    def test(self, arm: Values, against: Values) -> Tested:
        """The test that agrees with the interval that decides."""

    def equivalence(self, arm: Values, against: Values, *, margin: float) -> Tested: ...
    def permutation(self, arm: Values, against: Values) -> Tested: ...
    def effect(self, arm: Values, against: Values, *, level: float) -> Result: ...
    def superiority(self, arm: Values, against: Values, *, level: float) -> Result:
        """The probability that `arm` is lower than `against`."""

    def correlation(self, arm: Values, against: Values, *, level: float) -> Result: ...
    def unit(self, arm: Values, against: Values) -> float:
        """The standard deviation that is the unit of effects. Call it only where `problem` is empty."""

    def design(self, seeds: int) -> Design: ...
    def smallest_p(self, seeds: int) -> float:
        """The smallest p value that the exact permutation test can reach."""


class Paired:
    """Pairs by seed, with the same batches and named random streams. Both arms list the same seeds in the same
    order."""

    pairing: Pairing = "paired"
    word = ""

    def problem(self, arm: Values, against: Values) -> str:
        return differences_problem(_gaps(arm, against))

    def is_flat(self, arm: Values, against: Values) -> bool:
        gaps = _gaps(arm, against)
        return not arms_problem(arm, against, least=2) and no_spread(gaps)

    def flat_text(self, arm: Values, against: Values) -> str:
        gap = _gaps(arm, against)[0]
        return f"the difference is {gap:+.4g} at every seed" if gap else "identical at every seed"

    def flat(self, arm_RN: "Floats", against_RN: "Floats") -> "Bools":
        return flat_rows(_gap_rows(arm_RN, against_RN))

    def p_above(self, arm_RN: "Floats", against_RN: "Floats", shift: float) -> "Floats":
        return t_p_above(_gap_rows(arm_RN, against_RN), shift)

    def bounds(self, arm_RN: "Floats", against_RN: "Floats", level: float) -> "tuple[Floats, Floats]":
        import numpy as np

        gaps_RN = _gap_rows(arm_RN, against_RN)
        flat_R = flat_rows(gaps_RN)
        low_R, high_R = (np.where(flat_R, np.nan, end_R) for end_R in t_bounds(gaps_RN, level))
        return low_R, high_R

    def samples(self, arm_RN: "Floats", against_RN: "Floats") -> "tuple[Floats, ...]":
        return (arm_RN - against_RN,)

    def difference(self, arm: Values, against: Values, *, level: float) -> Result:
        return paired_t(_gaps(arm, against), level=level)

    def bootstrap(self, arm: Values, against: Values, *, level: float) -> Result:
        return paired_bootstrap(_gaps(arm, against), level=level)

    def test(self, arm: Values, against: Values) -> Tested:
        return paired_t_test(_gaps(arm, against))

    def equivalence(self, arm: Values, against: Values, *, margin: float) -> Tested:
        return tost(_gaps(arm, against), margin=margin)

    def permutation(self, arm: Values, against: Values) -> Tested:
        return sign_flip(_gaps(arm, against))

    def effect(self, arm: Values, against: Values, *, level: float) -> Result:
        return effect_size(_gaps(arm, against), level=level)

    def superiority(self, arm: Values, against: Values, *, level: float) -> Result:
        return paired_superiority(arm, against, level=level)

    def correlation(self, arm: Values, against: Values, *, level: float) -> Result:
        return pair_correlation(arm, against, level=level)

    def unit(self, arm: Values, against: Values) -> float:
        return stdev(_gaps(arm, against))

    def design(self, seeds: int) -> Design:
        return paired_design(seeds)

    def smallest_p(self, seeds: int) -> float:
        return smallest_sign_flip_p(seeds)


class Unpaired:
    """Two groups of runs, for arms that do not see the same batches at the same seed."""

    pairing: Pairing = "unpaired"
    word = "unpaired "

    def problem(self, arm: Values, against: Values) -> str:
        return groups_problem(arm, against)

    def is_flat(self, arm: Values, against: Values) -> bool:
        return not arms_problem(arm, against, least=2) and no_spread(arm) and no_spread(against)

    def flat_text(self, arm: Values, against: Values) -> str:
        if no_spread([*arm, *against]):
            return "identical in every run"
        return f"every run of the one arm is {arm[0]:.4g}, every run of the other {against[0]:.4g}"

    def flat(self, arm_RN: "Floats", against_RN: "Floats") -> "Bools":
        return flat_rows(arm_RN) & flat_rows(against_RN)

    def p_above(self, arm_RN: "Floats", against_RN: "Floats", shift: float) -> "Floats":
        return welch_p_above(arm_RN, against_RN, shift)

    def bounds(self, arm_RN: "Floats", against_RN: "Floats", level: float) -> "tuple[Floats, Floats]":
        return welch_bounds(arm_RN, against_RN, level)

    def samples(self, arm_RN: "Floats", against_RN: "Floats") -> "tuple[Floats, ...]":
        return arm_RN, against_RN

    def difference(self, arm: Values, against: Values, *, level: float) -> Result:
        return welch(arm, against, level=level)

    def bootstrap(self, arm: Values, against: Values, *, level: float) -> Result:
        return unpaired_bootstrap(arm, against, level=level)

    def test(self, arm: Values, against: Values) -> Tested:
        return welch_test(arm, against)

    def equivalence(self, arm: Values, against: Values, *, margin: float) -> Tested:
        return welch_tost(arm, against, margin=margin)

    def permutation(self, arm: Values, against: Values) -> Tested:
        return group_permutation(arm, against)

    def effect(self, arm: Values, against: Values, *, level: float) -> Result:
        return unpaired_effect_size(arm, against, level=level)

    def superiority(self, arm: Values, against: Values, *, level: float) -> Result:
        return unpaired_superiority(arm, against, level=level)

    def correlation(self, arm: Values, against: Values, *, level: float) -> Result:
        return Undefined(reason="the runs are not paired")

    def unit(self, arm: Values, against: Values) -> float:
        return pooled_spread(arm, against)

    def design(self, seeds: int) -> Design:
        return unpaired_design(seeds)

    def smallest_p(self, seeds: int) -> float:
        return smallest_permutation_p(seeds)


COMPARISONS: dict[Pairing, Comparison] = {"paired": Paired(), "unpaired": Unpaired()}


def _gaps(arm: Values, against: Values) -> list[float]:
    """Differences; one that is a rounding error of its values is 0."""
    gaps = []
    for left, right in zip(arm, against, strict=True):
        gap = left - right
        gaps.append(0.0 if abs(gap) <= ROUNDING * max(abs(left), abs(right)) else gap)
    return gaps


def _gap_rows(arm_RN: "Floats", against_RN: "Floats") -> "Floats":
    """`_gaps` of each row."""
    import numpy as np

    gap_RN = arm_RN - against_RN
    scale_RN = np.maximum(np.abs(arm_RN), np.abs(against_RN))
    return np.where(np.abs(gap_RN) <= ROUNDING * scale_RN, 0.0, gap_RN)

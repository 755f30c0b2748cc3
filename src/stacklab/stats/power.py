"""How many pairs show how large an effect: the mean difference in standard deviations of the difference (d_z)."""

import math
import statistics
from collections.abc import Iterable, Sequence

from stacklab.base.search import smallest
from stacklab.stats.check import differences_problem

MOST_PAIRS = 10_000


def paired_power(effect: float, pairs: int, *, level: float) -> float:
    """Power of the two-sided paired t test: the probability that its 1 - level interval excludes 0.

    It counts both sides, so it is `level` at effect 0 (Cohen 1988, chapter 2; non-central t, by statsmodels). Raises
    ValueError for fewer than 2 pairs, which allow no test, and for an effect that is not finite.

    >>> round(paired_power(1.0, 10, level=0.05), 2)
    0.8
    """
    if pairs < 2 or not math.isfinite(effect):
        raise ValueError(f"power of an effect of {effect:g} with {pairs} pairs: needs 2 pairs and a finite effect")
    from statsmodels.stats.power import TTestPower

    reached = float(TTestPower().power(effect, nobs=pairs, alpha=level))
    # The power of a huge effect comes out as nan, where it is 1.
    return 1.0 if math.isnan(reached) else reached


def power_curve(effect: float, pairs: Iterable[int], *, level: float) -> list[tuple[int, float]]:
    """(pairs, power) for each number of pairs, at least 2 each."""
    return [(count, paired_power(effect, count, level=level)) for count in pairs]


def pairs_for_effect(effect: float, *, level: float, power: float = 0.8) -> int | None:
    """The smallest number of pairs whose power suffices for a stated effect; None above MOST_PAIRS.

    >>> pairs_for_effect(1.0, level=0.05)
    10
    """
    return smallest(lambda pairs: paired_power(effect, pairs, level=level) >= power, limit=MOST_PAIRS, first=2)


def pairs_needed(differences: Sequence[float], *, level: float, power: float = 0.8) -> int | None:
    """Pairs that a two-sided paired t test needs to find the observed effect with the given power.

    None when the effect or its spread is undefined, or when more than MOST_PAIRS would be needed. The observed effect
    is itself uncertain: a rough guide.
    """
    if differences_problem(differences):
        return None
    effect = abs(statistics.fmean(differences)) / statistics.stdev(differences)
    return pairs_for_effect(effect, level=level, power=power)

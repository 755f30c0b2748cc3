"""How many seeds would settle what these did not."""

import math
from collections.abc import Sequence
from statistics import fmean

from stacklab.base.search import smallest
from stacklab.stats.comparison import Comparison
from stacklab.stats.power import difference_power, equivalence_power
from stacklab.stats.result import Needed, SeedsNeeded, Undefined

MOST_SEEDS = 10_000


def seeds_for_effect(by: Comparison, effect: float, *, level: float, power: float = 0.8) -> int | None:
    """The smallest number of seeds per arm whose power suffices for a stated effect; None above MOST_SEEDS.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> [seeds_for_effect(by, 1.0, level=0.05) for by in COMPARISONS.values()]
    [10, 17]
    """
    return smallest(
        lambda seeds: difference_power(effect, by.design(seeds), level=level) >= power, limit=MOST_SEEDS, first=2
    )


def seeds_for_equivalence(by: Comparison, effect: float, margin: float, *, level: float, power: float) -> int | None:
    """The same for showing that an effect within ±margin lies there."""
    return smallest(
        lambda seeds: equivalence_power(effect, margin, by.design(seeds), level=level) >= power,
        limit=MOST_SEEDS,
        first=2,
    )


def seeds_needed(
    by: Comparison, arm: Sequence[float], against: Sequence[float], *, margin: float | None, level: float, power: float
) -> SeedsNeeded:
    """Seeds per arm at which the test that decides reaches `power`, if difference and spread are as observed.

    Without a margin: to find a difference; with one: to show by two one-sided tests that it lies within. More than
    there are, since these did not suffice. What was observed is itself uncertain: a rough guide.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> seeds_needed(COMPARISONS["paired"], [1.0, 2.0, 4.0], [2.0] * 3, margin=None, level=0.05, power=0.8).seeds
    167
    """
    if reason := by.problem(arm, against):
        return Undefined(reason=reason)
    gap, unit = fmean(arm) - fmean(against), by.unit(arm, against)
    if margin is not None and abs(gap) >= margin:
        return Undefined(reason=f"the difference found, {gap:+.3g}, does not lie within ±{margin:g}")

    if margin is None:
        found = seeds_for_effect(by, gap / unit, level=level, power=power)
    else:
        found = seeds_for_equivalence(by, gap / unit, margin / unit, level=level, power=power)
    if found is None:
        return Undefined(reason=f"it would take more than {MOST_SEEDS:,} seeds")
    return Needed(seeds=max(found, min(len(arm), len(against)) + 1), power=power)


def needed_text(found: SeedsNeeded) -> str:
    """
    >>> needed_text(Needed(seeds=12, power=0.8))
    'about 12 seeds would reach 80 % power, if the effect is as large as here'
    """
    if isinstance(found, Undefined):
        return f"no number of seeds can be named: {found.reason}"
    # A power of 0.999 must not be told as 100 %.
    shown = math.floor(1000 * found.power + 1e-9) / 10
    return f"about {found.seeds:,} seeds would reach {shown:g} % power, if the effect is as large as here"

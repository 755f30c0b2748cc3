"""How many seeds an inconclusive comparison would need."""

import math
from collections.abc import Sequence
from statistics import fmean

from stacklab.base.search import smallest
from stacklab.stats.comparison import Comparison
from stacklab.stats.power import difference_power, equivalence_power
from stacklab.stats.result import Needed, SeedsNeeded, Undefined

MOST_SEEDS = 10_000


def seeds_for_effect(by: Comparison, effect: float, *, level: float, power: float = 0.8) -> int | None:
    """The smallest number of seeds per arm that reaches `power` for a stated effect; None above MOST_SEEDS.

    effect: in units of `by.unit`.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> [seeds_for_effect(by, 1.0, level=0.05) for by in COMPARISONS.values()]
    [10, 17]
    """
    return smallest(
        lambda seeds: difference_power(effect, by.design(seeds), level=level) >= power, limit=MOST_SEEDS, first=2
    )


def seeds_for_equivalence(by: Comparison, effect: float, margin: float, *, level: float, power: float) -> int | None:
    """The same for showing equivalence within ±margin; `effect` and `margin` are in units of `by.unit`."""
    return smallest(
        lambda seeds: equivalence_power(effect, margin, by.design(seeds), level=level) >= power,
        limit=MOST_SEEDS,
        first=2,
    )


def seeds_needed(
    by: Comparison, arm: Sequence[float], against: Sequence[float], *, margin: float | None, level: float, power: float
) -> SeedsNeeded:
    """Seeds per arm at which the test that decides reaches `power`, if difference and spread are as observed.

    Without a margin: to detect a difference; with one: to show by two one-sided tests that it lies within. Always more
    seeds than there are, since these did not suffice. The observed effect is itself uncertain, so this is a rough
    guide.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> seeds_needed(COMPARISONS["paired"], [1.0, 2.0, 4.0], [2.0] * 3, margin=None, level=0.05, power=0.8).seeds
    167
    """
    if reason := by.problem(arm, against):
        return Undefined(reason=reason)
    gap, unit = fmean(arm) - fmean(against), by.unit(arm, against)
    if margin is not None and abs(gap) >= margin:
        return Undefined(reason=f"the observed difference, {gap:+.3g}, does not lie within ±{margin:g}")

    if margin is None:
        seeds = seeds_for_effect(by, gap / unit, level=level, power=power)
    else:
        seeds = seeds_for_equivalence(by, gap / unit, margin / unit, level=level, power=power)
    if seeds is None:
        return Undefined(reason=f"it would take more than {MOST_SEEDS:,} seeds")
    return Needed(seeds=max(seeds, min(len(arm), len(against)) + 1), power=power)


def needed_text(needed: SeedsNeeded) -> str:
    """The number of seeds, or why there is none, as a sentence.

    >>> needed_text(Needed(seeds=12, power=0.8))
    'about 12 seeds would reach 80 % power, if the effect is as large as here'
    """
    if isinstance(needed, Undefined):
        return f"the number of seeds needed is unknown: {needed.reason}"
    # A power of 0.999 must not be shown as 100 %.
    shown = math.floor(1000 * needed.power + 1e-9) / 10
    return f"about {needed.seeds:,} seeds would reach {shown:g} % power, if the effect is as large as here"

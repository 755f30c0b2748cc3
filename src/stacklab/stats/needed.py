"""How many seeds a comparison needs, and which effects a number of seeds can show.

Text and figures share these functions. Both start from the effect that the evidence shows: Hedges' bias-corrected
value, with the non-central t interval, whose ends are exact and uncorrected.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from stacklab.base.search import smallest
from stacklab.base.units import confidence
from stacklab.stats.comparison import Comparison
from stacklab.stats.power import difference_power, equivalence_power
from stacklab.stats.result import Estimate, Needed, SeedsNeeded, Undefined

MOST_SEEDS = 10_000
LEAST_PILOTS = 4
"""Seeds from which an interval of the effect is narrow enough to name numbers of seeds."""


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


def detectable_effect(by: Comparison, seeds: int, *, level: float, power: float = 0.8) -> float:
    """The smallest effect that `seeds` per arm show with probability `power`, in units of `by.unit`.

    Raises ValueError for fewer than 2 seeds.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> [round(detectable_effect(by, 5, level=0.05), 2) for by in COMPARISONS.values()]
    [1.68, 2.02]
    """
    from scipy.optimize import brentq

    def excess(effect: float) -> float:
        return difference_power(effect, by.design(seeds), level=level) - power

    if excess(0.0) >= 0:
        return 0.0
    high = 1.0
    while excess(high) < 0:
        high *= 2
    return float(brentq(excess, 0.0, high))


def too_few_pilots(seeds: int) -> str:
    """Why so few seeds say nothing on how many are needed; empty if they are enough."""
    return f"{seeds} seeds are too few to estimate it" if seeds < LEAST_PILOTS else ""


class PowerCurve(NamedTuple):
    """Power by number of seeds: at the estimated effect, and at the smallest and the largest that its interval
    allows."""

    seeds: tuple[int, ...]
    estimated: tuple[float, ...]
    least: tuple[float, ...]
    most: tuple[float, ...]


def power_curve(by: Comparison, effect: Estimate, *, reach: int, level: float) -> PowerCurve:
    """From 2 to `reach` seeds. `most` reaches a power at `Needed.fewest` seeds, `least` at `Needed.most`."""
    seeds = tuple(range(2, reach + 1))

    def powers(size: float) -> tuple[float, ...]:
        return tuple(difference_power(size, by.design(number), level=level) for number in seeds)

    near, far = _sizes(effect)
    return PowerCurve(seeds, powers(effect.value), powers(near), powers(far))


def seeds_needed(
    by: Comparison, arm: Sequence[float], against: Sequence[float], *, margin: float | None, level: float, power: float
) -> SeedsNeeded:
    """Seeds per arm at which the test that decides reaches `power`, for all effects that the data do not exclude.

    Without a margin: to detect a difference; the ends come from the 1 - level interval of the effect. With one: to show
    by two one-sided tests that the difference lies within; the ends come from intervals of the difference and of the
    spread that hold together (each at level / 2). Fewer than LEAST_PILOTS seeds say nothing.

    >>> from stacklab.stats.comparison import COMPARISONS
    >>> rule = {"margin": None, "level": 0.05, "power": 0.8}
    >>> needed = seeds_needed(COMPARISONS["paired"], [1.0, 2.0, 4.0, 1.5, 2.2], [2.0] * 5, **rule)
    >>> needed.fewest, needed.most
    (11, None)
    """
    if reason := by.problem(arm, against) or too_few_pilots(min(len(arm), len(against))):
        return Undefined(reason=reason)
    if margin is None:
        fewest, most, unbounded = _for_difference(by, arm, against, level=level, power=power)
    else:
        fewest, most, unbounded = _for_equivalence(by, arm, against, margin=margin, level=level, power=power)
    if fewest is None:
        return Undefined(reason=unbounded)
    if most is None and fewest <= min(len(arm), len(against)):
        return Undefined(reason=f"{unbounded}, or {fewest} seeds may suffice")
    return Needed(fewest=fewest, most=most, power=power, level=1 - level, unbounded=unbounded)


MANY = f"it would take more than {MOST_SEEDS:,} seeds"
Ends = tuple[int | None, int | None, str]
"""The fewest and the most seeds, and why one of them is None."""


def _for_difference(
    by: Comparison, arm: Sequence[float], against: Sequence[float], *, level: float, power: float
) -> Ends:
    effect = by.effect(arm, against, level=level)
    if isinstance(effect, Undefined):
        return None, None, effect.reason
    near, far = _sizes(effect)
    fewest = seeds_for_effect(by, far, level=level, power=power)
    if fewest is None:
        return None, None, MANY
    if near == 0:
        return fewest, None, "the difference may be 0"
    most = seeds_for_effect(by, near, level=level, power=power)
    return fewest, most, "" if most else MANY.replace("would", "may")


def _for_equivalence(
    by: Comparison, arm: Sequence[float], against: Sequence[float], *, margin: float, level: float, power: float
) -> Ends:
    difference = by.difference(arm, against, level=level / 2)
    if isinstance(difference, Undefined):
        return None, None, difference.reason
    near, far = _sizes(difference)
    if near >= margin:
        return None, None, f"the difference does not lie within ±{margin:g}"
    small, large = _spreads(by.unit(arm, against), by.design(min(len(arm), len(against))).degrees, level=level / 2)
    fewest = seeds_for_equivalence(by, near / small, margin / small, level=level, power=power)
    if fewest is None:
        return None, None, MANY
    if far >= margin:
        return fewest, None, f"the difference may lie outside ±{margin:g}"
    most = seeds_for_equivalence(by, far / large, margin / large, level=level, power=power)
    return fewest, most, "" if most else MANY.replace("would", "may")


def _sizes(interval: Estimate) -> tuple[float, float]:
    """The smallest and the largest absolute value in an interval."""
    near = 0.0 if interval.low <= 0 <= interval.high else min(abs(interval.low), abs(interval.high))
    return near, max(abs(interval.low), abs(interval.high))


def _spreads(spread: float, degrees: int, *, level: float) -> tuple[float, float]:
    """The ends of the 1 - level interval of a standard deviation."""
    from scipy import stats

    low, high = (spread * math.sqrt(degrees / stats.chi2.ppf(at, degrees)) for at in (1 - level / 2, level / 2))
    return low, high


def needed_text(needed: SeedsNeeded) -> str:
    """The range of seeds, what is excluded where it has no upper end, or why there is none, as a sentence.

    >>> needed_text(Needed(fewest=12, most=60, power=0.8, level=0.95))
    '12 to 60 seeds would reach 80 % power (95% interval of the effect)'
    """
    if isinstance(needed, Undefined):
        return f"the number of seeds needed is unknown: {needed.reason}"
    # A power of 0.999 must not be shown as 100 %.
    power = (
        f"{math.floor(1000 * needed.power + 1e-9) / 10:g} % power ({confidence(needed.level)} interval of the effect)"
    )
    if needed.most is None:
        return f"fewer than {needed.fewest:,} seeds would not reach {power}; no upper limit: {needed.unbounded}"
    seeds = f"{needed.fewest:,}" if needed.fewest == needed.most else f"{needed.fewest:,} to {needed.most:,}"
    return f"{seeds} seeds would reach {power}"

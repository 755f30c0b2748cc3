"""Effective compute: how much less computation the better of two arms needed for the other's final loss."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from stacklab.base.spec import Spec
from stacklab.stats.result import Undefined

Curve = Sequence[tuple[float, float]]
"""(FLOPs since the start, loss) of every evaluation of a run, in order."""


class EffectiveCompute(Spec):
    """times: FLOPs of the worse arm per FLOP of `better`, the arm with the lower mean final loss, both until they first
    reached the worse arm's final loss; the geometric mean over n seeds. low, high: the range over seeds, which is no
    confidence interval."""

    kind: Literal["effective-compute"] = "effective-compute"
    better: str
    times: float
    low: float
    high: float
    n: int


class ArmCurves(NamedTuple):
    """The curves of an arm by seed, and the names that results and messages use."""

    name: str
    label: str
    by_seed: Mapping[int, Curve]


def effective_compute(one: ArmCurves, other: ArmCurves) -> EffectiveCompute | Undefined:
    """The effective compute of the better of two arms, from their curves at the same seeds.

    A curve is read as its running minimum, with lines in FLOPs between evaluations. Losses fall ever more slowly, so
    such lines lie above the true curve, and evaluations that are far apart understate what the better arm saves. So
    does a learning rate that decays: a run that was planned to end earlier would have a lower loss there.

    Undefined without seeds, for equal means, and where at any seed the better arm never reached the other's final loss,
    or reached it before its first evaluation after the start, where the curve is too steep for a line.
    """
    if not one.by_seed or not all(one.by_seed.values()) or not all(other.by_seed.values()):
        return Undefined(reason="there are no curves of loss to compare")
    better, worse = sorted((one, other), key=_final)
    if _final(better) == _final(worse):
        return Undefined(reason="both arms have the same mean final loss")
    ratios = []
    for seed, curve in worse.by_seed.items():
        target = curve[-1][1]
        spent = flops_to(better.by_seed[seed], target)
        if isinstance(spent, Undefined):
            return Undefined(reason=f"{better.label} seed {seed} {spent.reason} {worse.label}")
        own = flops_to(curve, target)
        if isinstance(own, Undefined):
            return Undefined(reason=f"{worse.label} seed {seed} was not better at its end than when first evaluated")
        ratios.append(own / spent)
    times = math.exp(statistics.fmean(map(math.log, ratios)))
    return EffectiveCompute(better=better.name, times=times, low=min(ratios), high=max(ratios), n=len(ratios))


def flops_to(curve: Curve, target: float) -> float | Undefined:
    """FLOPs at which a curve first reached a loss; Undefined if it never did, or too early to say.

    >>> flops_to([(0, 6.0), (10, 4.0), (20, 3.0)], 3.5)
    15.0
    """
    reached = next((index for index, (_, loss) in enumerate(curve) if loss <= target), None)
    if reached is None:
        return Undefined(reason="never reached the final loss of")
    if reached == 0 or curve[reached - 1][0] <= 0:
        return Undefined(reason="had, by its first evaluation after the start, reached the final loss of")
    before, (after, lower) = curve[reached - 1][0], curve[reached]
    higher = min(loss for _, loss in curve[:reached])
    return before + (after - before) * (higher - target) / (higher - lower)


def _final(arm: ArmCurves) -> float:
    return statistics.fmean(curve[-1][1] for curve in arm.by_seed.values())

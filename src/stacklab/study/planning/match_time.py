"""Controls matched by measured step time: few candidates, each timed in turn with the arm that it is to equal."""

import math
import statistics
from collections.abc import Callable, Mapping

from stacklab.base.errors import MatchError
from stacklab.base.search import smallest
from stacklab.base.spec import Items, Spec

MOST_TRIALS = 8
MOST_CHANGE = 8.0
"""Of the FLOPs, from one candidate to the next."""


class Trial(Spec):
    """One value of the knob: seconds per step of the target and of the control, a pair a round."""

    value: int
    target: Items[float]
    control: Items[float]

    @property
    def residual(self) -> float:
        """The median over rounds of control / target, minus 1: what slows a round slows both."""
        return statistics.median(own / other for own, other in zip(self.control, self.target, strict=True)) - 1

    def joined(self, more: "Trial") -> "Trial":
        return Trial(value=self.value, target=self.target + more.target, control=self.control + more.control)


def search(
    time: Callable[[int], Trial], flops: Callable[[int], int], *, first: int, limit: int, tolerance: float
) -> list[Trial]:
    """Candidates timed, the nearest first. Candidates are whole numbers from 1 to `limit`, and so is `first`.

    The next candidate is chosen where the FLOPs, between or beyond those timed, promise the target's time. One that
    lies within the tolerance is timed again, so that it is not chosen for its luck alone. Ends when it is confirmed,
    when there is nothing between the candidates on either side, or after MOST_TRIALS timings.
    """
    trials: dict[int, Trial] = {}
    number: int | None = first
    for _ in range(MOST_TRIALS):
        if number is None:
            break
        seen = trials.get(number)
        trials[number] = time(number) if seen is None else seen.joined(time(number))
        best = min(trials, key=lambda tried: abs(trials[tried].residual))
        near = abs(trials[best].residual) <= tolerance
        if near and seen is not None and best == number:
            break
        number = best if near else _next(trials, flops, limit)
    return sorted(trials.values(), key=lambda trial: abs(trial.residual))


def check_within(trials: list[Trial], *, tolerance: float, knob: str, target: str) -> Trial:
    """The nearest trial. Raises MatchError naming the nearest on either side when it lies outside the tolerance."""
    best = trials[0]
    if abs(best.residual) <= tolerance:
        return best
    sides = ([trial for trial in trials if trial.residual < 0], [trial for trial in trials if trial.residual >= 0])
    near = " and ".join(f"{side[0].value} ({side[0].residual:+.1%})" for side in sides if side)
    raise MatchError(
        f"match: no {knob} was found whose step takes as long as that of {target} ({_seconds(best):.3g} s) within "
        f"{tolerance:.1%}; nearest: {near}; widen the tolerance or match another knob"
    )


def _seconds(trial: Trial) -> float:
    return statistics.median(trial.target)


def _next(trials: Mapping[int, Trial], flops: Callable[[int], int], limit: int) -> int | None:
    """The candidate to time next, or None when none is left that could lie nearer."""
    faster = sorted(number for number, trial in trials.items() if trial.residual < 0)
    slower = sorted((number for number, trial in trials.items() if trial.residual >= 0), reverse=True)
    low, high = faster[-1] if faster else 0, slower[-1] if slower else limit + 1
    if high - low <= 1:
        return None
    goal = _crossing(trials, flops, low, high) if faster and slower else _beyond(trials, flops, faster or slower)
    reached = smallest(lambda number: flops(number) >= goal, limit=limit) or limit
    return min(max(reached, low + 1), high - 1)


def _beyond(trials: Mapping[int, Trial], flops: Callable[[int], int], same_side: list[int]) -> float:
    """FLOPs that promise the target's time where all candidates lie on one side of it, the nearest to it last.

    Time grows slower than FLOPs, so from one candidate more than in proportion; from two along their line.
    """
    edge = same_side[-1]
    goal = flops(edge) * math.pow(1 + trials[edge].residual, -1.5)
    if len(same_side) > 1 and trials[same_side[-2]].residual != trials[edge].residual:
        goal = _crossing(trials, flops, same_side[-2], edge)
    return min(max(goal, flops(edge) / MOST_CHANGE), flops(edge) * MOST_CHANGE)


def _crossing(trials: Mapping[int, Trial], flops: Callable[[int], int], one: int, other: int) -> float:
    """FLOPs at which the line through two candidates reaches the target's time."""
    gap, rise = trials[one].residual, trials[other].residual - trials[one].residual
    return flops(one) - (flops(other) - flops(one)) * gap / rise

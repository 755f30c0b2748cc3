"""Controls matched by measured step time: a few candidates, each timed in turn with the target arm.

A match is measured once and stored in <out>/cache/matches, so that every later plan has the same arm.
"""

import json
import math
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stacklab.base.canon import fingerprint
from stacklab.base.errors import MatchError
from stacklab.base.hardware import processor_name
from stacklab.base.search import smallest
from stacklab.base.spec import Items, Spec
from stacklab.model.count import flops_per_token
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import OutPaths
from stacklab.study.planning.match import Match, StepTimes, TimeSolver, first_reaching, grain, most_steps, with_knob
from stacklab.study.planning.measure import conditions, kept, measured
from stacklab.study.spec.study import BaseSpec, MatchSpec

MEASUREMENT = "step_time"
MOST_TIMINGS = 8
MOST_CHANGE = 8.0
"""Largest factor of FLOPs between one candidate and the next."""


class TimedCandidate(Spec):
    """One value of the knob: seconds per step of the target and of the control, one pair per round."""

    value: int
    target: Items[float]
    control: Items[float]

    @property
    def residual(self) -> float:
        """The median over rounds of control / target, minus 1: a slow round slows both."""
        return statistics.median(own / other for own, other in zip(self.control, self.target, strict=True)) - 1

    def joined(self, more: "TimedCandidate") -> "TimedCandidate":
        return TimedCandidate(value=self.value, target=self.target + more.target, control=self.control + more.control)


class KeptMatch(Spec):
    """A stored match. asked: what it depends on; trials: every candidate with its times, the chosen one first."""

    asked: dict[str, Any]
    trials: Items[TimedCandidate]


def step_time_solver(out: Path, *, data_fingerprint: str, threads: int) -> TimeSolver:
    """A solver that measures, with `threads` threads, what <out>/cache/matches does not hold yet."""

    def solve(match: MatchSpec, control: BaseSpec, target: BaseSpec) -> Match:
        """Raises MatchError, DataError for a stored file that cannot be read, StacklabError when measuring fails."""
        setup = _setup(match, control, target, threads)

        def measure() -> KeptMatch:
            candidates = _measure(match, control, target, out, data_fingerprint, threads)
            check_within(candidates, tolerance=match.allowed, knob=match.knob, target=match.to)
            return KeptMatch(asked=setup, trials=tuple(candidates))

        path = OutPaths(out).matches / f"{fingerprint(setup)}.json"
        best = kept(path, KeptMatch, measure, what="a match by step time").trials[0]
        return Match(with_knob(match, control.model, best.value), best.value, best.residual, _times(best, threads))

    return solve


def _setup(match: MatchSpec, control: BaseSpec, target: BaseSpec, threads: int) -> dict[str, Any]:
    """Everything that step times and the choice depend on, and nothing else: the key of a stored match."""
    return {
        "knob": match.knob,
        "multiple_of": match.multiple_of,
        "tolerance": match.allowed,
        "control": work(control),
        "target": work(target),
    } | conditions(threads)


ADDED = ("device", "residual", "tf32", "compile", "deterministic", "packing", "loss_on")
"""Settings of training and of data that step time depends on, named only where they are not at their defaults: stored
matches of before have the same keys."""


def work(config: BaseSpec) -> dict[str, Any]:
    """The settings of a configuration that step time depends on."""
    train = config.train
    return {
        "model": config.model.dump(),
        "block_size": config.data.block_size,
        "batch_size": train.batch_size,
        "micro_batch": train.micro_batch,
        "loss_chunk_rows": train.loss_chunk_rows,
        "precision": train.precision,
    } | {name: value for name, value in (*train.dump().items(), *config.data.dump().items()) if name in ADDED}


def _measure(
    match: MatchSpec, control: BaseSpec, target: BaseSpec, out: Path, data_fingerprint: str, threads: int
) -> list[TimedCandidate]:
    step, other = grain(match, control.model), target.as_run(data_fingerprint, seed=0)

    def candidate(number: int) -> ModelSpec:
        return with_knob(match, control.model, number * step)

    def time(number: int) -> TimedCandidate:
        own = control.with_model(candidate(number)).as_run(data_fingerprint, seed=0)
        specs = json.dumps([other.dump(), own.dump()])
        answer = measured(MEASUREMENT, specs, out, threads=threads, mend="a match by step_seconds has to be measured")
        other_times, own_times = json.loads(answer)
        return TimedCandidate(value=number * step, target=other_times, control=own_times)

    def flops(number: int) -> int:
        return flops_per_token(candidate(number), context=control.data.block_size)

    goal = flops_per_token(target.model, context=target.data.block_size)
    first = first_reaching(match, control.model, lambda number: flops(number) >= goal)
    limit = most_steps(match, control.model)
    return search(time, flops, first=first, limit=limit, tolerance=match.allowed)


def _times(best: TimedCandidate, threads: int) -> StepTimes:
    return StepTimes(
        target_seconds=statistics.median(best.target),
        seconds=statistics.median(best.control),
        rounds=len(best.target),
        threads=threads,
        processor=processor_name(),
    )


def search(
    time: Callable[[int], TimedCandidate], flops: Callable[[int], int], *, first: int, limit: int, tolerance: float
) -> list[TimedCandidate]:
    """The timed candidates, nearest first. Candidates are whole numbers from 1 to `limit`, and so is `first`.

    The next candidate is inter- or extrapolated from the FLOPs and times so far. A candidate within the tolerance is
    timed again, since one timing may be lucky. The search ends when that confirms it, when no candidate is left between
    the nearest on either side, or after MOST_TIMINGS timings.
    """
    trials: dict[int, TimedCandidate] = {}
    number: int | None = first
    for _ in range(MOST_TIMINGS):
        if number is None:
            break
        earlier = trials.get(number)
        trials[number] = time(number) if earlier is None else earlier.joined(time(number))
        best = min(trials, key=lambda tried: abs(trials[tried].residual))
        near = abs(trials[best].residual) <= tolerance
        if near and earlier is not None and best == number:
            break
        number = best if near else _next(trials, flops, limit)
    return sorted(trials.values(), key=lambda trial: abs(trial.residual))


def check_within(trials: list[TimedCandidate], *, tolerance: float, knob: str, target: str) -> TimedCandidate:
    """The nearest trial. Raises MatchError naming the nearest on either side when it lies outside the tolerance."""
    best = trials[0]
    if abs(best.residual) <= tolerance:
        return best
    sides = ([trial for trial in trials if trial.residual < 0], [trial for trial in trials if trial.residual >= 0])
    near = " and ".join(f"{side[0].value} ({side[0].residual:+.1%})" for side in sides if side)
    raise MatchError(
        f"match: no {knob} that was timed brings the step within {tolerance:.1%} of that of {target} "
        f"({_seconds(best):.3g} s); nearest: {near}; widen the tolerance or match another knob"
    )


def _seconds(trial: TimedCandidate) -> float:
    return statistics.median(trial.target)


def _next(trials: Mapping[int, TimedCandidate], flops: Callable[[int], int], limit: int) -> int | None:
    """The candidate to time next, or None when none left could be nearer."""
    faster = sorted(number for number, trial in trials.items() if trial.residual < 0)
    slower = sorted((number for number, trial in trials.items() if trial.residual >= 0), reverse=True)
    low, high = faster[-1] if faster else 0, slower[-1] if slower else limit + 1
    if high - low <= 1:
        return None
    goal = _crossing(trials, flops, low, high) if faster and slower else _beyond(trials, flops, faster or slower)
    reached = smallest(lambda number: flops(number) >= goal, limit=limit) or limit
    return min(max(reached, low + 1), high - 1)


def _beyond(trials: Mapping[int, TimedCandidate], flops: Callable[[int], int], same_side: list[int]) -> float:
    """FLOPs extrapolated to the target's time, when all candidates lie on one side of it, the nearest last.

    From two candidates linearly; from one more than in proportion, since time grows more slowly than FLOPs.
    """
    edge = same_side[-1]
    goal = flops(edge) * math.pow(1 + trials[edge].residual, -1.5)
    if len(same_side) > 1 and trials[same_side[-2]].residual != trials[edge].residual:
        goal = _crossing(trials, flops, same_side[-2], edge)
    return min(max(goal, flops(edge) / MOST_CHANGE), flops(edge) * MOST_CHANGE)


def _crossing(trials: Mapping[int, TimedCandidate], flops: Callable[[int], int], one: int, other: int) -> float:
    """FLOPs at which the line through two candidates reaches the target's time."""
    gap, rise = trials[one].residual, trials[other].residual - trials[one].residual
    return flops(one) - (flops(other) - flops(one)) * gap / rise

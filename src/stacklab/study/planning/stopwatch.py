"""Matches by measured step time, measured once: what was found is kept, so that every later plan has the same arm."""

import json
import statistics
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stacklab.base.canon import fingerprint
from stacklab.base.errors import DataError
from stacklab.base.files import read_json, write_json
from stacklab.base.hardware import processor_name
from stacklab.base.spec import Items, Spec
from stacklab.model.count import flops_per_token
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import OutPaths
from stacklab.study.engines.machine import gpus
from stacklab.study.planning.match import Match, StepTimes, TimeSolver, first_reaching, grain, most_steps, with_knob
from stacklab.study.planning.match_time import Trial, check_within, search
from stacklab.study.planning.measure import measured, once
from stacklab.study.spec.study import BaseSpec, MatchSpec

MODULE = "stacklab.run.step_time"


class Kept(Spec):
    """The file of one match: what was asked, and every candidate with its times, the chosen one first."""

    asked: dict[str, Any]
    trials: Items[Trial]


def stopwatch(out: Path, *, data_fingerprint: str, threads: int) -> TimeSolver:
    """A solver that measures with so many threads what <out>/cache/matches does not hold yet."""

    def solve(match: MatchSpec, control: BaseSpec, target: BaseSpec) -> Match:
        """Raises MatchError, DataError for a kept file that cannot be read, StacklabError when measuring fails."""
        asked = _asked(match, control, target, threads)
        path = OutPaths(out).matches / f"{fingerprint(asked)}.json"

        def measure() -> None:
            trials = _measure(match, control, target, out, data_fingerprint, threads)
            check_within(trials, tolerance=match.allowed, knob=match.knob, target=match.to)
            write_json(path, Kept(asked=asked, trials=tuple(trials)).dump())

        once(path, measure, what="a match by step time")
        best = _read(path).trials[0]
        return Match(with_knob(match, control.model, best.value), best.value, best.residual, _told(best, threads))

    return solve


def _asked(match: MatchSpec, control: BaseSpec, target: BaseSpec, threads: int) -> dict[str, Any]:
    """All that the time of a step, or the choice, depends on: equal for equal questions, whatever else a study says."""
    return {
        "knob": match.knob,
        "multiple_of": match.multiple_of,
        "tolerance": match.allowed,
        "control": work(control),
        "target": work(target),
        "threads": threads,
        "processor": processor_name(),
        "gpu": bool(gpus()),
    }


def work(config: BaseSpec) -> dict[str, Any]:
    """All of a configuration that the time of a step depends on."""
    train = config.train
    return {
        "model": config.model.dump(),
        "block_size": config.data.block_size,
        "batch_size": train.batch_size,
        "micro_batch": train.micro_batch,
        "loss_chunk_rows": train.loss_chunk_rows,
        "precision": train.precision,
    }


def _measure(
    match: MatchSpec, control: BaseSpec, target: BaseSpec, out: Path, data_fingerprint: str, threads: int
) -> list[Trial]:
    step, other = grain(match, control.model), target.as_run(data_fingerprint, seed=0)

    def candidate(number: int) -> ModelSpec:
        return with_knob(match, control.model, number * step)

    def time(number: int) -> Trial:
        own = control.with_model(candidate(number)).as_run(data_fingerprint, seed=0)
        specs = json.dumps([other.dump(), own.dump()])
        answer = measured(MODULE, specs, out, threads=threads, mend="a match by step_seconds has to measure")
        other_times, own_times = json.loads(answer)
        return Trial(value=number * step, target=other_times, control=own_times)

    def flops(number: int) -> int:
        return flops_per_token(candidate(number), context=control.data.block_size)

    goal = flops_per_token(target.model, context=target.data.block_size)
    first = first_reaching(match, control.model, lambda number: flops(number) >= goal)
    limit = most_steps(match, control.model)
    return search(time, flops, first=first, limit=limit, tolerance=match.allowed)


def _read(path: Path) -> Kept:
    try:
        return Kept.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(f"{path}: not a kept measurement; delete it to measure anew") from error


def _told(trial: Trial, threads: int) -> StepTimes:
    return StepTimes(
        target_seconds=statistics.median(trial.target),
        seconds=statistics.median(trial.control),
        rounds=len(trial.target),
        threads=threads,
        processor=processor_name(),
    )

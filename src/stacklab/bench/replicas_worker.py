"""Runs in a process of their own, for `bench replicas`: so many steps of each per line of standard input."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stacklab.bench.replicas import run_spec
from stacklab.run.environment import prepare_process
from stacklab.run.execute import Execution
from stacklab.run.execute_replicas import Member, Together
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.store import create_run
from stacklab.train.loop import teach, walk


class Alone:
    """A run as `execute` trains it."""

    def __init__(self, paths: RunPaths, execution: Execution) -> None:
        start, first_loss = execution.begin()
        self.execution, self.course = execution, execution.course()
        self.way = walk(execution.spec.train, self.course, execution.recorder, start=start, first_loss=first_loss)
        self.wish = next(self.way)

    def advance(self) -> None:
        batch, step = self.wish.batch, self.wish.step
        given = self.course.evaluate() if batch is None else teach(self.execution.trainer, step, batch)
        self.wish = self.way.send(given)


class Stopwatch:
    """Counts the calls of a function and the seconds that they took."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls, self.seconds = function, 0, 0.0

    def __call__(self, *given: Any) -> Any:
        began = time.perf_counter()
        found = self.function(*given)
        self.seconds += time.perf_counter() - began
        self.calls += 1
        return found


def main(name: str, heads: str, seeds: str, out: str) -> None:
    """Answer every number of steps with the seconds they took, those of the processor, and those that drew batches."""
    prepare_process(1)
    specs = [run_spec(int(seed), heads=int(heads)) for seed in seeds.split(",")]
    runs = [OutPaths(Path(out)).run(spec.run_id) for spec in specs]
    for spec, paths in zip(specs, runs, strict=True):
        create_run(spec, paths)
    draws: list[Stopwatch] = []

    def watched(execution: Execution) -> Execution:
        draws.append(Stopwatch(execution.feed.batch))
        execution.feed.batch = draws[-1]  # type: ignore[method-assign, assignment]
        return execution

    contestant: Alone | Together
    if name == "alone":
        contestant = Alone(runs[0], watched(Execution(specs[0], runs[0], lambda: False)))
    else:
        members = [Member(paths.folder) for paths in runs]
        for member in members:
            watched(member.execution)
        contestant = Together(members, lambda: False, lambda *told: None)
    _serve(contestant.advance, draws)


def _serve(advance: Callable[[], None], draws: list[Stopwatch]) -> None:
    _say({"ready": True})
    for line in sys.stdin:
        began, busy, drawn = time.perf_counter(), time.process_time(), sum(draw.seconds for draw in draws)
        last = draws[0].calls + int(line)
        while draws[0].calls < last:
            advance()
        drawing = sum(draw.seconds for draw in draws) - drawn
        cpu = time.process_time() - busy
        _say({"seconds": time.perf_counter() - began, "cpu_seconds": cpu, "drawing": drawing})


def _say(row: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

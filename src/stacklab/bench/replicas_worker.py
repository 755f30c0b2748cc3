"""Trains runs in a separate process for `bench replicas`: each line of standard input is a number of steps to train."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch

from stacklab.bench.replicas import run_spec
from stacklab.run.environment import prepare_process
from stacklab.run.execute import Execution
from stacklab.run.paths import OutPaths
from stacklab.run.replica_group import GroupMember, ReplicaGroup
from stacklab.run.store import create_run
from stacklab.run.timing.rounds import synchronise
from stacklab.train.device import pick_device
from stacklab.train.loop import Batch, carry_out, training_loop
from stacklab.train.spec import Device


class SingleRun:
    """A run as `execute` trains it."""

    def __init__(self, execution: Execution) -> None:
        start, first_loss = execution.begin()
        self.execution, self.callbacks = execution, execution.loop_callbacks()
        self.loop = training_loop(
            execution.spec.train,
            self.callbacks,
            execution.recorder,
            evaluate_every=execution.spec.evaluate.every,
            start=start,
            first_loss=first_loss,
        )
        self.request = next(self.loop)

    @property
    def step(self) -> int:
        return self.request.step

    def advance(self) -> None:
        carry_out(self.request, self.execution.trainer, self.callbacks)
        self.request = next(self.loop)


class Stopwatch:
    """Counts the seconds that functions take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def on(self, function: Callable[[int], Batch]) -> Callable[[int], Batch]:
        def timed(step: int) -> Batch:
            began = time.perf_counter()
            batch = function(step)
            self.seconds += time.perf_counter() - began
            return batch

        return timed


def main(name: str, heads: str, seeds: str, device: str, out: str) -> None:
    """Answer each number of steps in JSON: wall seconds, processor seconds, and seconds of drawing batches."""
    place = cast(Device, device)
    specs = [run_spec(int(seed), heads=int(heads), device=place) for seed in seeds.split(",")]
    prepare_process(1)
    runs = [OutPaths(Path(out)).run(spec.run_id) for spec in specs]
    for spec, paths in zip(specs, runs, strict=True):
        create_run(spec, paths)
    watch = Stopwatch()

    def watched(execution: Execution) -> Execution:
        execution.feed.batch = watch.on(execution.feed.batch)  # type: ignore[method-assign, assignment]
        return execution

    contestant: SingleRun | ReplicaGroup
    if name == "alone":
        contestant = SingleRun(watched(Execution(specs[0], runs[0], lambda: False)))
    else:
        members = [GroupMember(paths.folder) for paths in runs]
        for member in members:
            watched(member.execution)
        contestant = ReplicaGroup(members, lambda: False, lambda *_: None)
    _serve(contestant, watch, pick_device(place))


def _serve(contestant: SingleRun | ReplicaGroup, watch: Stopwatch, device: torch.device) -> None:
    _say({"ready": True})
    for line in sys.stdin:
        synchronise(device)
        began, busy, drawn = time.perf_counter(), time.process_time(), watch.seconds
        last = contestant.step + int(line)
        while contestant.step < last:
            contestant.advance()
        synchronise(device)
        drawing = watch.seconds - drawn
        cpu = time.process_time() - busy
        _say({"seconds": time.perf_counter() - began, "cpu_seconds": cpu, "drawing": drawing})


def _say(row: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

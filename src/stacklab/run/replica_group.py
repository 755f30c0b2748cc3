"""Runs in one stack of replicas: the loop of each, and the steps that all of them take at once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from stacklab.run.execute import Execution
from stacklab.run.feeds.task import Prefetch
from stacklab.run.paths import RunPaths
from stacklab.run.recorder import PROGRESS_SECONDS
from stacklab.run.store import forget_failure, read_spec
from stacklab.train.loop import EvalRequest, Outcome, StepResult, TrainRequest, training_loop
from stacklab.train.replicas import Replicas
from stacklab.train.step import StepClock


class Ended(Protocol):
    """Called once per folder. status: finished, diverged, stopped or failed. reason: why it diverged or failed."""

    def __call__(self, folder: Path, status: str, reason: str) -> None: ...


class GroupMember:
    """A run of a group. request: the pending request of its loop. outcome: set when the loop has ended."""

    request: TrainRequest | EvalRequest

    def __init__(self, folder: Path) -> None:
        self.paths = RunPaths(folder)
        self.execution = Execution(read_spec(self.paths), self.paths, lambda: False, stacked=True)
        self.steps_done, self.first_loss = self.execution.begin()
        self.outcome: Outcome | None = None

    def start(self, *, should_stop: Callable[[], bool], unload: Callable[[], None]) -> None:
        """Run the loop up to its first request. unload: copies the run's replica into its trainer."""
        callbacks = self.execution.loop_callbacks()

        def save_checkpoint(step: int) -> None:
            unload()
            callbacks.save_checkpoint(step)
            # The stack holds the moments; a second copy of each run's would fill a card.
            self.execution.trainer.optimizer.state.clear()

        spec, get_batch = self.execution.spec, callbacks.get_batch
        if self.execution.trainer.device.type == "cpu":
            # A card computes while the next step is drawn; eight at once would let it wait.
            get_batch = Prefetch(get_batch, last=spec.train.steps)
        self._loop = training_loop(
            spec.train,
            replace(
                callbacks,
                get_batch=get_batch,
                should_stop=should_stop,
                save_checkpoint=save_checkpoint,
            ),
            self.execution.recorder,
            evaluate_every=spec.evaluate.every,
            start=self.steps_done,
            first_loss=self.first_loss,
        )
        self.resume()

    def resume(self) -> None:
        """Run the loop from its fulfilled request to the next one, or to its end."""
        try:
            self.request = next(self._loop)
        except StopIteration as end:
            self.outcome = end.value


class LaunchedStep:
    """A step of all members. Its numbers [R, 2], losses and norms, are read once for all of them."""

    def __init__(self, numbers_R2: Tensor, began: float, clock: StepClock) -> None:
        self._numbers_R2, self._began, self._clock = numbers_R2, began, clock
        self._rows: list[list[float]] = []
        self._share = 0.0

    def read(self) -> None:
        """Wait for the numbers. A run costs its share of the step."""
        self._rows = self._numbers_R2.tolist()
        self._share = self._clock.read(self._began) / len(self._rows)

    def result(self, place: int) -> StepResult:
        """That of one member."""
        if not self._rows:
            self.read()
        loss, norm = self._rows[place]
        return StepResult(loss, norm, self._share)


class ReplicaGroup:
    """Runs in one stack of replicas; each step is taken by all of them at once."""

    def __init__(self, members: list[GroupMember], stop: Callable[[], bool], ended: Ended) -> None:
        self.members, self.stop, self.ended = members, stop, ended
        self.stopping, self.clock = False, StepClock()
        if members:
            self._stack()
        for member in members:
            member.start(should_stop=lambda: self.stopping, unload=partial(self._unload, member))

    def run(self) -> None:
        """Advance until every member has ended."""
        while self.members:
            self.advance()

    @property
    def step(self) -> int:
        """The lowest step of the members."""
        return min(member.request.step for member in self.members)

    def advance(self) -> None:
        """Evaluate the members that request it; if there are none, train all members for one step."""
        evaluating = [(member, member.request) for member in self.members if isinstance(member.request, EvalRequest)]
        training = [member.request for member in self.members if isinstance(member.request, TrainRequest)]
        if evaluating:
            self._evaluate(evaluating)
        else:
            self._train_step(training)
        self._remove_ended()

    def _stack(self) -> None:
        # A write of the progress takes milliseconds; all members together should write as often as a single run.
        for member in self.members:
            member.execution.recorder.patience = PROGRESS_SECONDS * len(self.members)
        self.replicas = Replicas([member.execution.trainer for member in self.members])

    def _unload(self, member: GroupMember) -> None:
        self.replicas.unload(self.members.index(member))

    def _evaluate(self, evaluating: Sequence[tuple[GroupMember, EvalRequest]]) -> None:
        # The fixed sets belong to the data, so all members have the same ones.
        metrics = self.members[0].execution.feed.measure_stack(self.replicas)
        for member, request in evaluating:
            request.metrics = metrics[self.members.index(member)]
            member.resume()

    def _train_step(self, requests: Sequence[TrainRequest]) -> None:
        """requests: one per member, in their order."""
        began = time.perf_counter()
        inputs_RBT = torch.from_numpy(np.stack([request.batch.inputs for request in requests]))
        targets_RBT = torch.from_numpy(np.stack([request.batch.targets for request in requests]))
        numbers_R2 = self.replicas.launch([request.step for request in requests], inputs_RBT, targets_RBT)
        step = LaunchedStep(numbers_R2, began, self.clock)
        if not self.replicas.reads_late:
            step.read()
        self.stopping = self.stop()
        for place, (member, request) in enumerate(zip(self.members, requests, strict=True)):
            request.result = partial(step.result, place) if self.replicas.reads_late else step.result(place)
            member.resume()

    def _remove_ended(self) -> None:
        """Close the runs that have ended; the others continue in a smaller stack."""
        if all(member.outcome is None for member in self.members):
            return
        for member in self.members:
            self._unload(member)
        for member in self.members:
            if member.outcome is not None:
                member.execution.end(member.outcome)
                forget_failure(member.paths)
                self.ended(member.paths.folder, member.outcome.kind, member.outcome.reason)
        self.members = [member for member in self.members if member.outcome is None]
        # Two stacks at a time might not fit on a card.
        del self.replicas
        if self.members:
            self._stack()

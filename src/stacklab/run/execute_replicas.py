"""Executes the runs of one group together in this process. stacking.py decides which runs can share a group."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from stacklab.base.errors import BusyError, StacklabError
from stacklab.base.files import read_json
from stacklab.base.locks import exclusive
from stacklab.run.environment import prepare_process
from stacklab.run.execute import Execution
from stacklab.run.feeds.task import Prefetch, TaskFeed
from stacklab.run.paths import RunPaths
from stacklab.run.recorder import PROGRESS_SECONDS
from stacklab.run.store import read_spec
from stacklab.train.evaluate import Scores, stacked_scores
from stacklab.train.loop import EvalRequest, Outcome, StepResult, TrainRequest, training_loop
from stacklab.train.replicas import Replicas

THREADS = 1
"""With more, the last digits of a replica could depend on the others in the stack."""


class Ended(Protocol):
    """Called once per folder. status: finished, diverged, stopped or failed. reason: why it diverged or failed."""

    def __call__(self, folder: Path, status: str, reason: str) -> None: ...


def execute_together(folders: Sequence[Path], *, stop: Callable[[], bool], ended: Ended) -> None:
    """Execute every run to its end, each from its own last checkpoint. Finished runs are skipped.

    The runs share no step counter: a run that is solved or has diverged leaves the stack, a run resumed from a later
    step trains beside the others, and no run changes a digit of another.
    """
    try:
        with contextlib.ExitStack() as held:
            for folder in sorted(folders):
                held.enter_context(exclusive(folder, what=f"run {folder.name}", give_up=stop))
            prepare_process(THREADS)
            members = []
            for folder in folders:
                if RunPaths(folder).result.exists():
                    ended(folder, str(read_json(RunPaths(folder).result)["status"]), "")
                elif member := _open_member(folder, ended):
                    members.append(member)
            ReplicaGroup(members, stop, ended).run()
    except BusyError:
        # Stopped while another process held one of the runs.
        for folder in folders:
            ended(folder, "stopped", "")


class GroupMember:
    """A run of a group. request: the pending request of its loop. outcome: set when the loop has ended."""

    request: TrainRequest | EvalRequest

    def __init__(self, folder: Path) -> None:
        self.paths = RunPaths(folder)
        self.execution = Execution(read_spec(self.paths), self.paths, lambda: False)
        assert isinstance(self.execution.feed, TaskFeed), "only runs over tasks are trained together"
        self.feed = self.execution.feed
        self.steps_done, self.first_loss = self.execution.begin()
        self.outcome: Outcome | None = None

    def start(self, *, should_stop: Callable[[], bool], unload: Callable[[], None]) -> None:
        """Run the loop up to its first request. unload: copies the run's replica into its trainer."""
        callbacks = self.execution.loop_callbacks()

        def save_checkpoint(step: int) -> None:
            unload()
            callbacks.save_checkpoint(step)

        spec = self.execution.spec
        self._loop = training_loop(
            spec.train,
            replace(
                callbacks,
                get_batch=Prefetch(callbacks.get_batch, last=spec.train.steps),
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


class ReplicaGroup:
    """Runs in one stack of replicas; each step is taken by all of them at once."""

    def __init__(self, members: list[GroupMember], stop: Callable[[], bool], ended: Ended) -> None:
        self.members, self.stop, self.ended = members, stop, ended
        self.stopping = False
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
        # The fixed sets belong to the task, so all members have the same ones.
        scores: dict[str, list[Scores]] = {
            name: stacked_scores(self.replicas, drawn.tokens_BT, drawn.targets_BT, target_mask_BT=drawn.target_mask_BT)
            for name, drawn in self.members[0].feed.sets.items()
        }
        for member, request in evaluating:
            replica = self.members.index(member)
            request.metrics = member.feed.summary({name: of_set[replica] for name, of_set in scores.items()})
            member.resume()

    def _train_step(self, requests: Sequence[TrainRequest]) -> None:
        """requests: one per member, in their order."""
        began = time.perf_counter()
        inputs_RBT = torch.from_numpy(np.stack([request.batch.inputs for request in requests]))
        targets_RBT = torch.from_numpy(np.stack([request.batch.targets for request in requests]))
        rows = self.replicas.step([request.step for request in requests], inputs_RBT, targets_RBT)
        self.stopping = self.stop()
        # The cost of a run is its share of the step.
        share = (time.perf_counter() - began) / len(self.members)
        for member, request, (loss, norm) in zip(self.members, requests, rows, strict=True):
            request.result = StepResult(loss, norm, share)
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
                member.paths.error.unlink(missing_ok=True)
                self.ended(member.paths.folder, member.outcome.kind, member.outcome.reason)
        self.members = [member for member in self.members if member.outcome is None]
        if self.members:
            self._stack()


def _open_member(folder: Path, ended: Ended) -> GroupMember | None:
    """The run, ready to start; None for one that cannot be read, which does not affect the others."""
    try:
        return GroupMember(folder)
    except StacklabError as error:
        ended(folder, "failed", str(error))
        return None

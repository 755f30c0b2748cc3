"""RunSpecs of one group -> their run folders, trained together in this process. See groups.py for who can be."""

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
from stacklab.run.feeds.ahead import Ahead
from stacklab.run.feeds.task import TaskFeed
from stacklab.run.paths import RunPaths
from stacklab.run.recorder import PROGRESS_SECONDS
from stacklab.run.store import read_spec
from stacklab.train.evaluate import Scores, stacked_scores
from stacklab.train.loop import Outcome, Taught, walk
from stacklab.train.replicas import Replicas

THREADS = 1
"""With more, a replica's last digits could depend on who else is in the stack."""


class Ended(Protocol):
    """Told once for each folder: finished, diverged, stopped or failed, the last with its reason."""

    def __call__(self, folder: Path, status: str, reason: str) -> None: ...


def execute_together(folders: Sequence[Path], *, stop: Callable[[], bool], ended: Ended) -> None:
    """Bring every run to its end, each from its own last checkpoint. What is done already is left alone.

    The runs keep no common step: one that is solved or has diverged leaves, one that was resumed later goes on beside
    the others, and none of them changes a digit of another.
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
                elif member := _opened(folder, ended):
                    members.append(member)
            Together(members, stop, ended).run()
    except BusyError:
        # Told to stop while another process held one of the runs.
        for folder in folders:
            ended(folder, "stopped", "")


class Member:
    """A run of the group. `wish` is what it needs next; once it has an `outcome` it needs nothing more."""

    def __init__(self, folder: Path) -> None:
        self.paths = RunPaths(folder)
        self.execution = Execution(read_spec(self.paths), self.paths, lambda: False)
        assert isinstance(self.execution.feed, TaskFeed), "only tasks are trained together"
        self.feed = self.execution.feed
        self.start, self.first_loss = self.execution.begin()
        self.outcome: Outcome | None = None

    def set_out(self, *, stop: Callable[[], bool], unload: Callable[[], None]) -> None:
        """Take the first step of the way, on which it finds out what it needs."""
        course = self.execution.course()

        def save(step: int) -> None:
            unload()
            course.save(step)

        spec = self.execution.spec.train
        own = replace(course, batch=Ahead(course.batch, last=spec.steps), stop=stop, save=save)
        self._walk = walk(spec, own, self.execution.recorder, start=self.start, first_loss=self.first_loss)
        self.wish = next(self._walk)

    def give(self, found: Taught | dict[str, float]) -> None:
        try:
            self.wish = self._walk.send(found)
        except StopIteration as end:
            self.outcome = end.value


class Together:
    """Members on their way, one step of all at a time."""

    def __init__(self, members: list[Member], stop: Callable[[], bool], ended: Ended) -> None:
        self.members, self.stop, self.ended = members, stop, ended
        self.stopping = False
        if members:
            self._stack()
        for member in members:
            member.set_out(stop=lambda: self.stopping, unload=partial(self._unload, member))

    def run(self) -> None:
        while self.members:
            self.advance()

    @property
    def step(self) -> int:
        """The step of the run that is least far."""
        return min(member.wish.step for member in self.members)

    def advance(self) -> None:
        """Give the members what they need next, those that want to be measured first."""
        asking = [member for member in self.members if member.wish.batch is None]
        if asking:
            self._measure(asking)
        else:
            self._teach()
        self._let_go()

    def _stack(self) -> None:
        # Such a write takes milliseconds: together they should cost what they cost a run alone.
        for member in self.members:
            member.execution.recorder.patience = PROGRESS_SECONDS * len(self.members)
        self.replicas = Replicas([member.execution.trainer for member in self.members])

    def _unload(self, member: Member) -> None:
        self.replicas.unload(self.members.index(member))

    def _measure(self, asking: list[Member]) -> None:
        # The fixed sets belong to the task, so that all members have the same.
        scores: dict[str, list[Scores]] = {
            name: stacked_scores(self.replicas, drawn.tokens_BT, drawn.targets_BT, target_mask_BT=drawn.target_mask_BT)
            for name, drawn in asking[0].feed.sets.items()
        }
        for place, member in enumerate(self.members):
            if member in asking:
                member.give(member.feed.summary({name: found[place] for name, found in scores.items()}))

    def _teach(self) -> None:
        began = time.perf_counter()
        steps = [member.wish.step for member in self.members]
        batches = [member.wish.batch for member in self.members if member.wish.batch is not None]
        inputs_RBT, targets_RBT = (
            torch.from_numpy(np.stack(part))
            for part in ([one.inputs for one in batches], [one.targets for one in batches])
        )
        rows = self.replicas.step(steps, inputs_RBT, targets_RBT)
        self.stopping = self.stop()
        # What a run costs is its share of the step.
        share = (time.perf_counter() - began) / len(self.members)
        for member, (loss, norm) in zip(self.members, rows, strict=True):
            member.give(Taught(loss, norm, share))

    def _let_go(self) -> None:
        """Finish the runs that are over; the rest go on in a smaller stack."""
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


def _opened(folder: Path, ended: Ended) -> Member | None:
    """A run ready to go on. One that cannot be read costs the others nothing."""
    try:
        return Member(folder)
    except StacklabError as error:
        ended(folder, "failed", str(error))
        return None

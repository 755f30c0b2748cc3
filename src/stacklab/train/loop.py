"""The training loop, to be read aloud."""

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch

from stacklab.train.schedule import learning_rate
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer


class Recorder(Protocol):
    """Where the loop writes. Rows hold only what a repeated run would reproduce; `timed` takes the rest."""

    def stepped(self, row: dict[str, Any]) -> None: ...
    def evaluated(self, row: dict[str, Any]) -> None: ...
    def timed(self, step: int, *, seconds: float, tokens: int, loss: float) -> None: ...


@dataclass(frozen=True)
class Batch:
    """Ids [B, T] to read and to predict (IGNORE_INDEX where nothing is asked), and a hash of both."""

    inputs: np.ndarray
    targets: np.ndarray
    hash: str


@dataclass(frozen=True)
class Course:
    """What the loop needs beside the trainer.

    batch: step -> its batch. evaluate: what to measure at a step. save: write a checkpoint after so many steps.
    stop: whether to leave at the next step boundary. solved: after an evaluation, whether no more training is needed.
    """

    batch: Callable[[int], Batch]
    evaluate: Callable[[], dict[str, float]]
    save: Callable[[int], None]
    stop: Callable[[], bool]
    solved: Callable[[], bool]
    evaluate_every: int


@dataclass(frozen=True)
class Outcome:
    kind: Literal["finished", "diverged", "stopped"]
    step: int
    reason: str = ""


@dataclass(frozen=True)
class Wish:
    """What a run needs next: to be trained on a batch, or, without one, to be measured."""

    step: int
    batch: Batch | None = None


@dataclass(frozen=True)
class Taught:
    """What training on a batch gave: loss, gradient norm before clipping, seconds that it took."""

    loss: float
    norm: float
    seconds: float


Walk = Generator[Wish, Taught | dict[str, float], Outcome]
"""A run's way through its steps. It says what it needs, is sent what that gave, and returns how it ended."""


def train(trainer: Trainer, course: Course, recorder: Recorder, *, start: int, first_loss: float | None) -> Outcome:
    """Train from step `start` to the end, or until the loss diverges, the task is solved, or `stop` says so."""
    way = walk(trainer.spec, course, recorder, start=start, first_loss=first_loss)
    given = None
    while True:
        try:
            wish = next(way) if given is None else way.send(given)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        given = course.evaluate() if wish.batch is None else teach(trainer, wish.step, wish.batch)


def walk(spec: TrainSpec, course: Course, recorder: Recorder, *, start: int, first_loss: float | None) -> Walk:
    """The loop itself, without what it is done with: one trainer, or many runs in step."""
    for step in range(start, spec.steps):
        if step % course.evaluate_every == 0:
            if reason := _evaluated((yield Wish(step)), recorder, step):
                return Outcome("diverged", step, reason)
            if course.solved():
                return Outcome("finished", step)
        began = time.perf_counter()
        batch = course.batch(step)
        drawing = time.perf_counter() - began
        taught = yield Wish(step, batch)
        assert isinstance(taught, Taught)
        loss, norm, done = taught.loss, taught.norm, step + 1
        if reason := _divergence(loss, norm, first_loss, spec.diverged_above):
            return Outcome("diverged", done, f"{reason} at step {done}")
        first_loss = loss if first_loss is None else first_loss
        rate = learning_rate(spec, step)
        recorder.stepped({"step": done, "loss": loss, "learning_rate": rate, "norm": norm, "batch": batch.hash})
        recorder.timed(done, seconds=drawing + taught.seconds, tokens=batch.inputs.size, loss=loss)
        stopping = course.stop() and done < spec.steps
        if stopping or (done % spec.checkpoint_every == 0 and done < spec.steps):
            course.save(done)
        if stopping:
            return Outcome("stopped", done)
    if reason := _evaluated((yield Wish(spec.steps)), recorder, spec.steps):
        return Outcome("diverged", spec.steps, reason)
    return Outcome("finished", spec.steps)


def teach(trainer: Trainer, step: int, batch: Batch) -> Taught:
    """Train on a batch."""
    began = time.perf_counter()
    loss, norm = trainer.step(step, torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets))
    return Taught(loss, norm, time.perf_counter() - began)


def _evaluated(found: Taught | dict[str, float], recorder: Recorder, step: int) -> str:
    """Record what was measured; returns why the run has diverged, if it has."""
    assert isinstance(found, dict)
    for name, value in found.items():
        if not math.isfinite(value):
            return f"{name} became {value} at step {step}"
    recorder.evaluated({"step": step, **found})
    return ""


def _divergence(loss: float, norm: float, first_loss: float | None, factor: float) -> str:
    if not math.isfinite(loss):
        return f"the training loss became {loss}"
    if not math.isfinite(norm):
        return f"the gradient norm became {norm}"
    if first_loss is not None and loss > factor * first_loss:
        return f"the training loss rose to {loss:.3g}, {factor:g} times the first one ({first_loss:.3g})"
    return ""

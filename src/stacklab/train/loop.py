"""The training loop.

`training_loop` decides what happens at which step. It is a generator that yields requests, to train on a batch or to
evaluate; whoever runs it fills in the result of each before it goes on. `train` does so with one Trainer,
`run/execute_replicas` with a stack of runs at once.
"""

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch

from stacklab.train.schedule import learning_rate
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer


class Recorder(Protocol):
    """Where the loop writes. Rows hold only what a repeated run reproduces; `record_time` takes the rest."""

    def record_step(self, row: dict[str, Any]) -> None: ...
    def record_evaluation(self, row: dict[str, Any]) -> None: ...
    def record_time(self, step: int, *, seconds: float, tokens: int, loss: float) -> None: ...


@dataclass(frozen=True)
class Batch:
    """Ids [B, T] to read and to predict (IGNORE_INDEX where no loss is taken), and a hash of both."""

    inputs: np.ndarray
    targets: np.ndarray
    hash: str


@dataclass(frozen=True)
class LoopCallbacks:
    """The functions that the loop calls.

    get_batch: the batch of a step, counted from 0. evaluate: metrics of the model as it is. save_checkpoint: called
    with the number of steps done. should_stop: whether to leave after this step, with a checkpoint. is_solved: whether
    the evaluations so far make further training unnecessary.
    """

    get_batch: Callable[[int], Batch]
    evaluate: Callable[[], dict[str, float]]
    save_checkpoint: Callable[[int], None]
    should_stop: Callable[[], bool]
    is_solved: Callable[[], bool]


@dataclass(frozen=True)
class Outcome:
    """How the loop ended, after how many steps, and why where it diverged."""

    kind: Literal["finished", "diverged", "stopped"]
    step: int
    reason: str = ""


class StepResult(NamedTuple):
    """Training loss in nats, gradient norm before clipping, and the seconds that the step took."""

    loss: float
    norm: float
    seconds: float


@dataclass
class TrainRequest:
    """Train on `batch` as step number `step`; `result` is filled in by whoever runs the loop."""

    step: int
    batch: Batch
    result: StepResult = field(init=False)


@dataclass
class EvalRequest:
    """Evaluate after `step` steps; `metrics` is filled in by whoever runs the loop."""

    step: int
    metrics: dict[str, float] = field(init=False)


TrainingLoop = Generator[TrainRequest | EvalRequest, None, Outcome]
"""Yields requests, whose results it reads when it is resumed, and returns how training ended."""


def train(
    trainer: Trainer,
    callbacks: LoopCallbacks,
    recorder: Recorder,
    *,
    evaluate_every: int,
    start: int,
    first_loss: float | None,
) -> Outcome:
    """Train after `start` steps to the end, or until the loss diverges, the task is solved, or a stop is requested.

    first_loss: training loss of the first step, where that was taken before.
    """
    loop = training_loop(
        trainer.spec, callbacks, recorder, evaluate_every=evaluate_every, start=start, first_loss=first_loss
    )
    while True:
        try:
            request = next(loop)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        carry_out(request, trainer, callbacks)


def training_loop(
    spec: TrainSpec,
    callbacks: LoopCallbacks,
    recorder: Recorder,
    *,
    evaluate_every: int,
    start: int,
    first_loss: float | None,
) -> TrainingLoop:
    """The loop itself, independent of how many runs share a step. Arguments as in `train`."""
    for step in range(start, spec.steps):
        if step % evaluate_every == 0:
            yield (evaluation := EvalRequest(step))
            if reason := _record_evaluation(evaluation, recorder):
                return Outcome("diverged", step, reason)
            if callbacks.is_solved():
                return Outcome("finished", step)
        began = time.perf_counter()
        batch = callbacks.get_batch(step)
        drawing_seconds = time.perf_counter() - began
        yield (training := TrainRequest(step, batch))
        loss, norm, seconds = training.result
        done = step + 1
        if reason := _divergence(loss, norm, first_loss, spec.diverged_above):
            return Outcome("diverged", done, f"{reason} at step {done}")
        first_loss = loss if first_loss is None else first_loss
        rate = learning_rate(spec, step)
        recorder.record_step({"step": done, "loss": loss, "learning_rate": rate, "norm": norm, "batch": batch.hash})
        recorder.record_time(done, seconds=drawing_seconds + seconds, tokens=batch.inputs.size, loss=loss)
        stopping = callbacks.should_stop() and done < spec.steps
        if stopping or (done % spec.checkpoint_every == 0 and done < spec.steps):
            callbacks.save_checkpoint(done)
        if stopping:
            return Outcome("stopped", done)
    yield (evaluation := EvalRequest(spec.steps))
    if reason := _record_evaluation(evaluation, recorder):
        return Outcome("diverged", spec.steps, reason)
    return Outcome("finished", spec.steps)


def carry_out(request: TrainRequest | EvalRequest, trainer: Trainer, callbacks: LoopCallbacks) -> None:
    """Fill in the result of a request with one trainer."""
    match request:
        case TrainRequest():
            request.result = train_step(trainer, request.step, request.batch)
        case EvalRequest():
            request.metrics = callbacks.evaluate()


def train_step(trainer: Trainer, step: int, batch: Batch) -> StepResult:
    """Train on one batch, timed."""
    began = time.perf_counter()
    loss, norm = trainer.step(step, torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets))
    return StepResult(loss, norm, time.perf_counter() - began)


def _record_evaluation(evaluation: EvalRequest, recorder: Recorder) -> str:
    """Record the metrics. Returns why the run has diverged, in which case nothing is recorded; empty if it has not."""
    for name, value in evaluation.metrics.items():
        if not math.isfinite(value):
            return f"{name} became {value} at step {evaluation.step}"
    recorder.record_evaluation({"step": evaluation.step, **evaluation.metrics})
    return ""


def _divergence(loss: float, norm: float, first_loss: float | None, factor: float) -> str:
    """Why a step has diverged; empty if it has not."""
    if not math.isfinite(loss):
        return f"the training loss became {loss}"
    if not math.isfinite(norm):
        return f"the gradient norm became {norm}"
    if first_loss is not None and loss > factor * first_loss:
        return f"the training loss rose to {loss:.3g}, {factor:g} times the first one ({first_loss:.3g})"
    return ""

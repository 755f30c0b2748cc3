"""The training loop.

`training_loop` decides what happens at which step. It is a generator that yields requests, to train on a batch or to
evaluate; the caller fills in the result of each before it resumes the loop. `train` does so with one Trainer,
`run/execute_replicas` with a stack of runs.
"""

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from stacklab.train.schedule import learning_rate
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Sequences, Trainer


class Recorder(Protocol):
    """Where the loop writes. Rows are equal for equal runs; `record_time` takes what differs between them."""

    def record_step(self, row: dict[str, Any]) -> None: ...
    def record_evaluation(self, row: dict[str, Any]) -> None: ...
    def record_time(self, step: int, *, seconds: float, tokens: int, loss: float) -> None: ...


@dataclass(frozen=True)
class Batch:
    """Input and target ids [B, T] (targets are IGNORE_INDEX where no loss is taken), and a hash of both.

    positions: see Sequences.
    """

    inputs: np.ndarray
    targets: np.ndarray
    hash: str
    positions: np.ndarray | None = None

    @property
    def sequences(self) -> Sequences:
        return Sequences(self.inputs, self.targets, self.positions)


@dataclass(frozen=True)
class LoopCallbacks:
    """The functions that the loop calls.

    get_batch: the batch of a step, counted from 0. evaluate: metrics of the current model. save_checkpoint: called
    with the number of steps done. should_stop: whether to stop after this step, with a checkpoint. is_solved: whether
    the evaluations so far satisfy the stop rule.
    """

    get_batch: Callable[[int], Batch]
    evaluate: Callable[[], dict[str, float]]
    save_checkpoint: Callable[[int], None]
    should_stop: Callable[[], bool]
    is_solved: Callable[[], bool]


@dataclass(frozen=True)
class Outcome:
    """How the loop ended, after how many steps, and, if it diverged, why."""

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
    """Train on `batch` as step number `step`; the caller of the loop fills in `result`.

    A function in its place returns the result and waits for the device if need be: it is called a step later, so that
    the device has the next step before the numbers of this one are read.
    """

    step: int
    batch: Batch
    result: StepResult | Callable[[], StepResult] = field(init=False)


@dataclass
class EvalRequest:
    """Evaluate after `step` steps; the caller of the loop fills in `metrics`."""

    step: int
    metrics: dict[str, float] = field(init=False)


TrainingLoop = Generator[TrainRequest | EvalRequest, None, Outcome]
"""Yields requests, reads their results when it is resumed, and returns the outcome."""


def train(
    trainer: Trainer,
    callbacks: LoopCallbacks,
    recorder: Recorder,
    *,
    evaluate_every: int,
    start: int,
    first_loss: float | None,
) -> Outcome:
    """Train from step `start` to the end, or until the loss diverges, the task is solved, or a stop is requested.

    first_loss: training loss of the first step, for a resumed run.
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
    """The loop itself, independent of how many runs share a step. For the arguments see `train`."""
    steps = _StepLog(spec, recorder, first_loss)
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
        steps.add(training, drawing_seconds)
        done = step + 1
        saving = done % spec.checkpoint_every == 0
        pausing = saving or done == spec.steps or done % evaluate_every == 0
        if diverged := steps.read(all_of_them=pausing):
            return diverged
        stopping = callbacks.should_stop() and done < spec.steps
        if stopping and (diverged := steps.read(all_of_them=True)):
            return diverged
        if stopping or (saving and done < spec.steps):
            callbacks.save_checkpoint(done)
        if stopping:
            return Outcome("stopped", done)
    yield (evaluation := EvalRequest(spec.steps))
    if reason := _record_evaluation(evaluation, recorder):
        return Outcome("diverged", spec.steps, reason)
    return Outcome("finished", spec.steps)


class _StepLog:
    """Records the steps of a run as their results are read."""

    def __init__(self, spec: TrainSpec, recorder: Recorder, first_loss: float | None) -> None:
        self.spec, self.recorder, self.first_loss = spec, recorder, first_loss
        self.unread: list[tuple[TrainRequest, float]] = []

    def add(self, request: TrainRequest, drawing_seconds: float) -> None:
        self.unread.append((request, drawing_seconds))

    def read(self, *, all_of_them: bool) -> Outcome | None:
        """Read and record the steps, all but the last one if it is still on the device; returns how the run ended if it
        has diverged."""
        keep = not all_of_them and callable(self.unread[-1][0].result)
        while len(self.unread) > keep:
            if diverged := self._record(*self.unread.pop(0)):
                return diverged
        return None

    def _record(self, request: TrainRequest, drawing_seconds: float) -> Outcome | None:
        loss, norm, seconds = request.result() if callable(request.result) else request.result
        done, batch = request.step + 1, request.batch
        if reason := _divergence(loss, norm, self.first_loss, self.spec.diverged_above):
            return Outcome("diverged", done, f"{reason} at step {done}")
        self.first_loss = loss if self.first_loss is None else self.first_loss
        rate = learning_rate(self.spec, request.step)
        self.recorder.record_step(
            {"step": done, "loss": loss, "learning_rate": rate, "norm": norm, "batch": batch.hash}
        )
        self.recorder.record_time(done, seconds=drawing_seconds + seconds, tokens=batch.inputs.size, loss=loss)
        return None


def carry_out(request: TrainRequest | EvalRequest, trainer: Trainer, callbacks: LoopCallbacks) -> None:
    """Fulfil a request with one trainer."""
    match request:
        case TrainRequest():
            request.result = train_step(trainer, request.step, request.batch)
        case EvalRequest():
            request.metrics = callbacks.evaluate()


def train_step(trainer: Trainer, step: int, batch: Batch) -> StepResult | Callable[[], StepResult]:
    """Train on one batch, timed as StepClock says."""
    began = time.perf_counter()
    loss, norm = trainer.launch(step, *batch.sequences.tensors)

    def read() -> StepResult:
        numbers = loss.item(), norm.item()
        return StepResult(*numbers, trainer.clock.read(began))

    return read if trainer.reads_late else read()


def _record_evaluation(evaluation: EvalRequest, recorder: Recorder) -> str:
    """Record the metrics. If the run has diverged, record nothing and return why; otherwise return an empty string."""
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

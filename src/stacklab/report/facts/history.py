"""Histories of the runs: evaluations, training batches, samples. A missing file is an empty history."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stacklab.base.errors import DataError
from stacklab.base.files import read_record
from stacklab.base.spec import Items, Spec, first_fault
from stacklab.data.novelty import Novelty
from stacklab.run.paths import RunPaths
from stacklab.run.verify import logged
from stacklab.study.results.collect import Row

MOST_BATCHES = 250
"""Training batches kept per run for the figures; the folder holds all of them."""


class LogRow(Spec):
    """One evaluation, and the training step just before it. Losses in nats per token, seconds since the start."""

    step: int
    learning_rate: float | None
    batch_loss: float | None
    train_probe: float | None
    validation: float | None
    seconds: float | None


class Sample(Spec):
    """`before` and `after` training; None where the run did not get so far. `novelty`: of the text after training."""

    prompt: str
    before: str | None
    after: str | None
    novelty: Novelty | None


class RunFact(Row):
    """One run: its row of the study, and its history. batch_steps, batch_losses: every `batch_stride`-th training
    batch. best_loss: the lowest validation loss in nats per token, at `best_step`."""

    label: str
    best_step: int | None
    best_loss: float | None
    log: Items[LogRow]
    batch_stride: int
    batch_steps: Items[int]
    batch_losses: Items[float]
    samples: Items[Sample]


class Envelope(Spec):
    """Mean and range over the finished seeds of an arm, at the steps that all of them were evaluated at."""

    metric: str
    steps: Items[int]
    mean: Items[float]
    low: Items[float]
    high: Items[float]


def run_fact(row: Row, label: str, paths: RunPaths) -> RunFact:
    """The row with the history of its run; without it, and with the reason, where a file of it is damaged."""
    try:
        return _run_fact(row, label, paths)
    except ValidationError as error:
        names = f"{paths.evals.name}, {paths.metrics.name} or {paths.samples.name}"
        fault = f"{names} was not written by a run ({first_fault(error)})"
    except DataError as error:
        fault = str(error).replace(f"{paths.folder}/", "")
    reason = row.reason or f"its history is damaged and not shown: {fault}"
    return _fact(row.model_copy(update={"reason": reason}), label, [], (), ())


def _run_fact(row: Row, label: str, paths: RunPaths) -> RunFact:
    if row.status == "damaged":
        # The reason is known, and no file beside the damaged one is certain.
        return _fact(row, label, [], (), ())
    steps = logged(paths.metrics, "loss")
    log = _log(logged(paths.evals), steps, logged(paths.timing_rows, "seconds"))
    return _fact(row, label, steps, log, _samples(paths.samples))


def _fact(
    row: Row, label: str, steps: list[dict[str, Any]], log: tuple[LogRow, ...], samples: tuple[Sample, ...]
) -> RunFact:
    judged = [(entry.validation, entry.step) for entry in log if entry.validation is not None]
    best = min(judged) if judged else (None, None)
    stride = max(1, -(-len(steps) // MOST_BATCHES))
    kept = steps[::stride]
    return RunFact(
        **dict(row),
        label=label,
        best_step=best[1],
        best_loss=best[0],
        log=log,
        batch_stride=stride,
        batch_steps=tuple(step["step"] for step in kept),
        batch_losses=tuple(step["loss"] for step in kept),
        samples=samples,
    )


def envelopes(runs: Sequence[RunFact]) -> tuple[Envelope, ...]:
    """Mean and range of the finished runs; empty when there are fewer than two."""
    finished = [run for run in runs if run.status == "finished"]
    if len(finished) < 2:
        return ()
    rows = []
    for metric in ("train_probe", "validation"):
        curves = [{row.step: getattr(row, metric) for row in run.log} for run in finished]
        shared = [step for step in curves[0] if all(curve.get(step) is not None for curve in curves)]
        columns = [[curve[step] for curve in curves] for step in shared]
        rows.append(
            Envelope(
                metric=metric,
                steps=tuple(shared),
                mean=tuple(sum(column) / len(column) for column in columns),
                low=tuple(min(column) for column in columns),
                high=tuple(max(column) for column in columns),
            )
        )
    return tuple(rows)


def _log(evals: list[dict[str, Any]], steps: list[dict[str, Any]], timing: list[dict[str, Any]]) -> tuple[LogRow, ...]:
    by_step = {row["step"]: row for row in steps}
    timed = [row["step"] for row in timing]
    elapsed = [0.0, *accumulate(row["seconds"] for row in timing)]
    rows = []
    for evaluation in evals:
        step = evaluation["step"]
        batch = by_step.get(step, {})
        rows.append(
            LogRow(
                step=step,
                learning_rate=batch.get("learning_rate"),
                batch_loss=batch.get("loss"),
                train_probe=evaluation.get("train_probe.loss"),
                validation=evaluation.get("validation.loss"),
                seconds=elapsed[bisect_right(timed, step)] if timed else None,
            )
        )
    return tuple(rows)


def _texts(samples: dict[str, Any], when: str, path: Path) -> list[dict[str, Any]]:
    """Raises DataError where a sample has no prompt or no text."""
    texts = samples.get(when, [])
    if not isinstance(texts, list) or not all(
        isinstance(one, dict) and {"prompt", "text"} <= set(one) for one in texts
    ):
        raise DataError(f"{path}: {when} is no list of samples; the file was edited or is damaged")
    return texts


def _samples(path: Path) -> tuple[Sample, ...]:
    """Prompts with the text before training, and after it where the run got that far."""
    if not path.exists():
        return ()
    texts = read_record(path)
    before, after = _texts(texts, "before", path), _texts(texts, "after", path)
    rows = []
    for index in range(max(len(before), len(after))):
        first = before[index] if index < len(before) else None
        last = after[index] if index < len(after) else None
        prompt = (first or last or {}).get("prompt", "")
        rows.append(
            Sample(
                prompt=prompt,
                before=first["text"] if first else None,
                after=last["text"] if last else None,
                novelty=_novelty(last),
            )
        )
    return tuple(rows)


def _novelty(sample: dict[str, Any] | None) -> Novelty | None:
    """None also for runs from before novelty was measured."""
    novelty = (sample or {}).get("novelty")
    return None if novelty is None else Novelty.model_validate(novelty)

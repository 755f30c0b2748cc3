"""Two arms or runs compared, also across studies, in the metrics that are comparable."""

from typing import Any

from stacklab.base.errors import DataError
from stacklab.base.spec import Items, Spec
from stacklab.data.prepared import load_prepared, prepared_folder
from stacklab.run.metrics import describe
from stacklab.run.paths import OutPaths
from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.result import Result
from stacklab.study.results.collect import UNUSABLE
from stacklab.study.results.references import Subject

SAME_TEXT = ("source", "template", "validation", "validation_fraction", "split_seed")
"""Settings that decide which text is held out; if they are equal, bits per byte are comparable."""

COVER = ("packing", "loss_on")
"""Settings that decide which tokens of a text are targets."""


class ComparedMetric(Spec):
    """One metric of both sides, a value per seed. difference: left minus right. superiority: share of seeds (paired) or
    of all pairs of runs (unpaired) at which the left is lower."""

    metric: str
    left: Items[float]
    right: Items[float]
    difference: Result
    superiority: Result


class Comparison(Spec):
    left: str
    right: str
    pairing: Pairing
    """Paired by seed if both sides have the same seeds on the same batches."""
    metrics: Items[ComparedMetric]
    refused: Items[str]
    """Shared metrics that are not comparable, each with the reason."""
    left_out: Items[str] = ()
    """Runs whose folders are damaged or were altered, each with the reason."""


def compare(left: Subject, right: Subject, *, level: float) -> Comparison:
    """Raises DataError when a side has no finished run, or when no metric is comparable."""
    sides = [_finished(subject) for subject in (left, right)]
    shared = [name for name in next(iter(sides[0].values())) if name in next(iter(sides[1].values()))]
    reasons = {name: _incomparable(name, left, right) for name in shared}
    if all(reasons.values()):
        raise DataError(
            f"{left.name} and {right.name} are not comparable: {next(iter(reasons.values()), 'no shared metric')}"
        )
    pairing = _pairing(left, right)
    metrics = [_metric(name, sides, pairing, level) for name in shared if not reasons[name]]
    refused = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    return Comparison(
        left=left.name,
        right=right.name,
        pairing=pairing,
        metrics=tuple(metrics),
        refused=tuple(refused),
        left_out=tuple(line for side in (left, right) for line in unusable(side)),
    )


def unusable(subject: Subject) -> list[str]:
    """The runs whose folders are damaged or were altered, each with the reason."""
    return [
        f"{subject.name} seed {row.seed}: {row.status}, {OutPaths(subject.out).run(row.run_id).folder}: {row.reason}"
        for row in subject.rows
        if row.status in UNUSABLE
    ]


def _metric(name: str, sides: list[dict[int, dict[str, float]]], pairing: Pairing, level: float) -> ComparedMetric:
    by = COMPARISONS[pairing]
    left, right = ([side[seed][name] for seed in sorted(side) if name in side[seed]] for side in sides)
    return ComparedMetric(
        metric=name,
        left=tuple(left),
        right=tuple(right),
        difference=by.difference(left, right, level=level),
        superiority=by.superiority(left, right, level=level),
    )


def _finished(subject: Subject) -> dict[int, dict[str, float]]:
    metrics = {row.seed: row.metrics for row in subject.rows if row.status == "finished"}
    if not metrics:
        states = ", ".join(f"seed {row.seed} {row.status}" for row in subject.rows)
        because = "".join(f"; {line}" for line in unusable(subject)[:1])
        raise DataError(f"{subject.name}: has no finished run ({states}){because}")
    return metrics


def _pairing(left: Subject, right: Subject) -> Pairing:
    """Paired if both sides finished the same seeds on the same batches."""
    batches = [{row.seed: row.batches for row in side.rows if row.status == "finished"} for side in (left, right)]
    return "paired" if batches[0] == batches[1] else "unpaired"


def _incomparable(metric: str, left: Subject, right: Subject) -> str:
    """Why a metric is not comparable between the two; empty if it is."""
    if left.data_fingerprint == right.data_fingerprint:
        return _measured_otherwise(metric, left, right)
    if not describe(metric).across_tokenizers:
        return "other data or another tokenizer"
    moved = [name for name in SAME_TEXT if getattr(left.config.data, name) != getattr(right.config.data, name)]
    if moved:
        return f"the held-out text differs (data.{', data.'.join(moved)})"
    if moved := [name for name in COVER if getattr(left.config.data, name) != getattr(right.config.data, name)]:
        return f"the loss covers other tokens (data.{', data.'.join(moved)})"
    if _records(left) != _records(right):
        return "the file behind the data has changed"
    return ""


def _measured_otherwise(metric: str, left: Subject, right: Subject) -> str:
    for name in describe(metric).depends_on:
        one, other = (getattr(side.config.evaluate, name) for side in (left, right))
        if one != other:
            return f"measured under other settings (evaluate.{name} {one} against {other})"
    return ""


def _records(subject: Subject) -> Any:
    folder = prepared_folder(OutPaths(subject.out).cache, subject.data_fingerprint)
    return load_prepared(folder).manifest["splits"]["validation"]["text_bytes"]

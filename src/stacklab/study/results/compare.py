"""Two arms or runs side by side, also across studies, as far as their numbers mean the same."""

from typing import Any

from stacklab.base.errors import DataError
from stacklab.base.spec import Items, Spec
from stacklab.data.prepared import load_prepared, prepared_folder
from stacklab.run.metrics import describe
from stacklab.run.paths import OutPaths
from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.result import Result
from stacklab.study.results.references import Subject

SAME_TEXT = ("source", "template", "validation_fraction", "split_seed")
"""Settings of the data that decide which text is held out; without a change in them bits per byte compare."""


class ComparedMetric(Spec):
    """One metric of both sides, a value per seed; difference is left minus right. superiority: how often the left is
    lower, by seed where paired, else over all pairs of runs."""

    metric: str
    left: Items[float]
    right: Items[float]
    difference: Result
    superiority: Result


class Comparison(Spec):
    left: str
    right: str
    pairing: Pairing
    """By seed, on the same batches. Otherwise the difference is of two unpaired groups."""
    metrics: Items[ComparedMetric]
    refused: Items[str]
    """Metrics that both have and that do not compare, each with the reason."""


def compare(left: Subject, right: Subject, *, level: float) -> Comparison:
    """Raises DataError when a side has no finished run, or when no metric of the two means the same."""
    sides = [_finished(subject) for subject in (left, right)]
    shared = [name for name in next(iter(sides[0].values())) if name in next(iter(sides[1].values()))]
    reasons = {name: _incomparable(name, left, right) for name in shared}
    if all(reasons.values()):
        raise DataError(
            f"{left.name} and {right.name} do not compare: {next(iter(reasons.values()), 'no shared metric')}"
        )
    pairing = _pairing(left, right)
    metrics = [_metric(name, sides, pairing, level) for name in shared if not reasons[name]]
    refused = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    return Comparison(left=left.name, right=right.name, pairing=pairing, metrics=tuple(metrics), refused=tuple(refused))


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
    found = {row.seed: row.metrics for row in subject.rows if row.status == "finished"}
    if not found:
        states = ", ".join(f"seed {row.seed} {row.status}" for row in subject.rows)
        raise DataError(f"{subject.name}: has no finished run ({states})")
    return found


def _pairing(left: Subject, right: Subject) -> Pairing:
    """By seed where both have finished the same seeds on the same batches."""
    batches = [{row.seed: row.batches for row in side.rows if row.status == "finished"} for side in (left, right)]
    return "paired" if batches[0] == batches[1] else "unpaired"


def _incomparable(metric: str, left: Subject, right: Subject) -> str:
    """Why a metric of one is not that of the other; empty when it is."""
    if left.data_fingerprint == right.data_fingerprint:
        return _measured_otherwise(metric, left, right)
    if not describe(metric).across_tokenizers:
        return "other data or another tokenizer"
    moved = [name for name in SAME_TEXT if getattr(left.config.data, name) != getattr(right.config.data, name)]
    if moved:
        return f"the held-out text differs (data.{', data.'.join(moved)})"
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

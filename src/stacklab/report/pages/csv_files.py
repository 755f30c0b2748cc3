"""The report's CSV files: every number with all its digits, one observation a row."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any

from stacklab.report.facts.build import Facts
from stacklab.report.facts.estimates import Measure
from stacklab.report.format.verdicts import reason_text
from stacklab.stats.result import Estimate, Needed, PValue, Result
from stacklab.study.results.evidence import Evidence

Records = Iterator[dict[str, Any]]


def csv_files(facts: Facts) -> dict[str, str]:
    """File name -> text. A file without rows still has its heads."""
    return {
        "claims.csv": _text(CLAIM_HEADS, _claims(facts)),
        "control.csv": _text(CONTROL_HEADS, _control(facts)),
        "aggregates.csv": _text(AGGREGATE_HEADS, _aggregates(facts)),
        "pairs.csv": _text(PAIR_HEADS, _pairs(facts)),
        "headline.csv": _text(HEADLINE_HEADS, _headline(facts)),
        "runs.csv": _text(_run_heads(facts), _runs(facts)),
        "training_log.csv": _text(LOG_HEADS, _log(facts)),
        "reported.csv": _text(REPORTED_HEADS, _reported(facts)),
        "tuning.csv": _text(TUNING_HEADS, _tuning(facts)),
        "cells.csv": _text(("arm", *_axes(facts), *CELL_HEADS), _cells(facts)),
    }


P_VALUES = ("test", "holm", "benjamini_hochberg", "permutation")
SIZES = ("effect", "superiority", "correlation")
INTERVAL = ("low", "high", "undefined")
EVIDENCE_HEADS = (*P_VALUES, *(f"{name}{end}" for name in SIZES for end in ("", "_low", "_high")))
CLAIM_HEADS = (
    *("comparison", "statement", "metric", "arm", "against", "direction", "margin", "level", "power"),
    *("verdict", "reason", "pairing", "pairs", "difference", *INTERVAL, "bootstrap_low", "bootstrap_high"),
    *("seeds_needed", "afterthought"),
    *EVIDENCE_HEADS,
)
PAIR_HEADS = ("comparison", "metric", "pairing", "seed", "arm", "against", "difference")
AGGREGATE_HEADS = ("aggregate", "metrics", "arm", "label", "n", "interquartile_mean", *INTERVAL)
CONTROL_HEADS = ("metric", "arm", "control", "difference", *INTERVAL, "p")
HEADLINE_HEADS = ("arm", "label", "metric", "unit", "n", "mean", *INTERVAL)
LOG_HEADS = ("arm", "seed", "step", "learning_rate", "batch_loss", "train_probe_loss", "validation_loss", "seconds")
REPORTED_HEADS = ("arm", "metric", "reported", "note", "n", "reproduced", "difference", *INTERVAL, "absent")
TUNING_HEADS = ("arm", "learning_rate", "weight_decay", "mean_loss", "seeds_finished", "diverged", "missing", "chosen")
CELL_HEADS = ("learning_rate", "shown", "verdict", "reason", "guessing", "seed", "final", "steps_to_solve", "trained")
RUN_HEADS = ("arm", "label", "seed", "run_id", "status", "reason", "step", "batches")


def _axes(facts: Facts) -> tuple[str, ...]:
    return () if facts.grid is None else tuple(facts.grid.axes)


def _cells(facts: Facts) -> Records:
    """A row for each seed of each cell at each learning rate, and one without a seed where there is none.

    `shown` is true of the rate that the cell stands at.
    """
    for cell in facts.cells:
        for at_rate in (cell, *cell.others):
            common = {
                "arm": at_rate.arm,
                **at_rate.at,
                "learning_rate": at_rate.learning_rate,
                "shown": at_rate is cell,
                "verdict": at_rate.verdict,
                "reason": at_rate.reason,
                "guessing": at_rate.baseline,
            }
            for one in at_rate.outcomes:
                yield common | {
                    "seed": one.seed,
                    "final": one.final,
                    "steps_to_solve": one.steps,
                    "trained": one.trained,
                }
            if not at_rate.outcomes:
                yield common


def _tuning(facts: Facts) -> Records:
    for tuning in facts.tuning:
        for point in tuning.points:
            yield {
                "arm": tuning.arm,
                **point.setting.dump(),
                "mean_loss": point.mean,
                "seeds_finished": len(point.losses),
                "diverged": point.diverged,
                "missing": point.missing,
                "chosen": point.setting == tuning.chosen,
            }


def _claims(facts: Facts) -> Records:
    for contrast in facts.contrasts:
        bootstrap = _interval(contrast.bootstrap)
        yield {
            "comparison": contrast.id,
            "statement": contrast.statement,
            "metric": contrast.metric,
            "arm": contrast.arm,
            "against": contrast.against,
            "direction": contrast.claim.direction,
            "margin": contrast.claim.margin,
            "level": contrast.claim.level,
            "power": contrast.claim.power,
            "verdict": contrast.verdict,
            "reason": reason_text(contrast),
            "pairing": contrast.pairing,
            "pairs": len(contrast.pairs),
            "difference": contrast.difference.value if isinstance(contrast.difference, Estimate) else None,
            **_interval(contrast.difference),
            "bootstrap_low": bootstrap["low"],
            "bootstrap_high": bootstrap["high"],
            "seeds_needed": contrast.seeds_needed.seeds if isinstance(contrast.seeds_needed, Needed) else None,
            "afterthought": contrast.afterthought,
            **dict(_evidence(contrast.evidence)),
        }


def _control(facts: Facts) -> Records:
    for found in facts.against_control:
        yield {
            "metric": found.metric,
            "arm": found.arm,
            "control": found.control,
            "difference": found.difference.value if isinstance(found.difference, Estimate) else None,
            **_interval(found.difference),
            "p": found.p.p if isinstance(found.p, PValue) else None,
        }


def _aggregates(facts: Facts) -> Records:
    for aggregate in facts.aggregates:
        named = {"aggregate": aggregate.name, "metrics": " ".join(aggregate.metrics)}
        if aggregate.absent:
            yield named | {"undefined": aggregate.absent}
        for arm in aggregate.arms:
            found = arm.estimate
            yield named | {
                "arm": arm.arm,
                "label": arm.label,
                "n": sum(map(len, arm.scores.values())),
                "interquartile_mean": found.value if isinstance(found, Estimate) else None,
                **_interval(found),
            }


def _evidence(evidence: Evidence) -> Iterator[tuple[str, float | None]]:
    """p values and sizes with their ends; cells are empty where they cannot be had, facts.json says why."""
    for name in P_VALUES:
        found = getattr(evidence, name)
        yield name, found.p if isinstance(found, PValue) else None
    for name in SIZES:
        found = getattr(evidence, name)
        for end, field in (("", "value"), ("_low", "low"), ("_high", "high")):
            yield f"{name}{end}", getattr(found, field) if isinstance(found, Estimate) else None


def _pairs(facts: Facts) -> Records:
    for contrast in facts.contrasts:
        for pair in contrast.pairs:
            yield {"comparison": contrast.id, "metric": contrast.metric, "pairing": contrast.pairing, **pair.dump()}


def _headline(facts: Facts) -> Records:
    for arm in facts.arms:
        for found in arm.measures:
            unit = facts.metric(found.metric).unit
            yield {"arm": arm.name, "label": arm.label, "metric": found.metric, "unit": unit, **_measure(found)}


def _measure(found: Measure) -> dict[str, Any]:
    return {"n": len(found.seeds), "mean": found.mean, **_interval(found.estimate)}


def _run_heads(facts: Facts) -> tuple[str, ...]:
    values = dict.fromkeys(name for run in facts.runs for name in (*run.metrics, *run.timing))
    return (*RUN_HEADS, *values)


def _runs(facts: Facts) -> Records:
    for run in facts.runs:
        yield {head: getattr(run, head) for head in RUN_HEADS} | run.metrics | run.timing


def _log(facts: Facts) -> Records:
    for run in facts.runs:
        for row in run.log:
            yield {
                "arm": run.arm,
                "seed": run.seed,
                "step": row.step,
                "learning_rate": row.learning_rate,
                "batch_loss": row.batch_loss,
                "train_probe_loss": row.train_probe,
                "validation_loss": row.validation,
                "seconds": row.seconds,
            }


def _reported(facts: Facts) -> Records:
    for row in facts.source.rows if facts.source else ():
        found = row.reproduced
        yield {
            "arm": row.arm,
            "metric": row.metric,
            "reported": row.reported,
            "note": row.note,
            "n": len(found.seeds) if found else 0,
            "reproduced": found.mean if found else None,
            "difference": row.gap,
            **(_interval(row.difference) if row.difference else {}),
            "absent": row.absent,
        }


def _interval(result: Result) -> dict[str, Any]:
    if isinstance(result, Estimate):
        return {"low": result.low, "high": result.high, "undefined": ""}
    return {"low": None, "high": None, "undefined": result.reason}


def _text(heads: tuple[str, ...], records: Records) -> str:
    buffer = StringIO()
    writer = csv.DictWriter(buffer, heads, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()

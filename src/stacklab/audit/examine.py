"""Files of logs and stated numbers -> one audit."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stacklab.audit.arms import File, assign_arms, by_arm
from stacklab.audit.findings.control import control_finding
from stacklab.audit.findings.loop import loop_findings
from stacklab.audit.findings.losses import gap_finding, noise_findings, order_finding
from stacklab.audit.findings.parameters import parameter_findings, size_findings
from stacklab.audit.findings.quality import quality_findings
from stacklab.audit.findings.rerun import noise_of
from stacklab.audit.findings.seeds import seed_findings
from stacklab.audit.findings.tokens import stated_steps, token_findings
from stacklab.audit.findings.validation import apart_finding, best_finding, overfitting_finding
from stacklab.audit.reading.log import Log
from stacklab.audit.reading.results import Loop
from stacklab.audit.reading.source import read_source
from stacklab.audit.reading.stated import merge, read_stated
from stacklab.audit.spec import Audit, Finding, Kind, LogSummary, Stated
from stacklab.base.errors import DataError
from stacklab.base.yamlfile import load_yaml

REASONS: dict[Kind, str] = {
    "seeds": "there is one run per arm, so nothing is known about other seeds",
    "seeds-difference": "the runs are too few, or the arms too close, to show a difference over seeds",
    "loop-noise": "the noise of a rerun is not known",
    "loop-minimum": "the lowest of the tries is no lower than the noise alone makes it",
    "loop-kept": "kept changes lie within the noise of a rerun",
    "last-gap": "the difference at the last logged point is not that of the points before it",
    "train-against-validation": "training and validation loss disagree on which arm is better",
    "best-validation": "the best validation losses are tied",
    "overfitting": "validation was best before the end",
    "data-order": "the logs do not move together, as runs on the same batches do",
    "log-unread": "lines that name a loss were not understood",
    "log-not-finite": "a log holds values that are not finite",
    "log-truncated": "a log ends in the middle of a line",
    "log-damaged": "a log has damaged lines",
    "log-repeated": "a log repeats steps",
    "log-steps-missing": "a log lacks steps",
}
"""What a finding of caution means for a claim that one arm is better."""


def conclude(stated: Stated, findings: Sequence[Finding]) -> str:
    """The claim, and the reasons why the numbers do not carry it, weightiest first; or that none was found."""
    claim = f'The text states: "{stated.claim}". ' if stated.claim else "The files state no claim. "
    cautions = {finding.kind for finding in findings if finding.severity == "caution"}
    reasons = [reason for kind, reason in REASONS.items() if kind in cautions]
    wrong = sum(finding.severity == "contradiction" for finding in findings)
    if wrong:
        reasons.append(f"{wrong} stated number{'s contradict' if wrong > 1 else ' contradicts'} the others")
    if reasons:
        what = "that claim" if stated.claim else "a claim that one arm is better"
        return f"{claim}The numbers do not carry {what}: {'; '.join(reasons)}."
    return f"{claim}Nothing in the numbers contradicts it; that alone does not prove it."


def audit(files: Sequence[Path], *, stated: Path | None = None) -> Audit:
    """Read every file and compute the findings.

    Numbers of the YAML file `stated` take precedence over those of the texts, and earlier files over later ones.
    With more than two arms, each is compared with the first. Raises DataError or SpecError naming file and line,
    MissingExtraError for TensorBoard events without their reader.
    """
    if twice := [path for path, times in Counter(files).items() if times > 1]:
        raise DataError(f"{twice[0]}: named more than once; a run counts once")
    from_yaml = [read_stated(stated)] if stated is not None else []
    sources = [read_source(path) for path in files]
    where = load_yaml(stated)[1].of(("arms",)) if stated is not None else ""
    each = [File(path, source.logs, source.seeds) for path, source in zip(files, sources, strict=True)]
    logs = assign_arms(each, from_yaml[0].arms if from_yaml else (), where=where)
    numbers = merge([*from_yaml, *(source.stated for source in sources)])
    loops = [loop for source in sources for loop in source.loops]
    result = examine(logs, numbers, loops=loops, files=[path.name for path in files])
    if all(finding.kind == "no-log" for finding in result.findings):
        raise DataError(
            f"{', '.join(map(str, files))}: no training log, and too few stated numbers for any finding; "
            "state more of them with --stated"
        )
    return result


def examine(logs: Sequence[Log], stated: Stated, *, files: Sequence[str], loops: Sequence[Loop] = ()) -> Audit:
    """The findings about logs, stated numbers and loops' tables that are in memory."""
    findings = [
        *quality_findings(logs, stated_steps=stated_steps(stated, logs)),
        *parameter_findings(stated),
        *size_findings(stated),
        *_some(control_finding(stated)),
        *_one_log(logs),
        *_two_logs(logs),
        *token_findings(stated, logs),
        *seed_findings(logs, stated_seeds=stated.training.seeds),
        *_loops(loops, stated.rerun_noise),
    ]
    if not any(log.series for log in logs) and not loops:
        findings.insert(0, _no_log())
    return Audit(
        files=tuple(files),
        logs=(*(_summary(log) for log in logs), *(_tries(loop) for loop in loops)),
        stated=stated,
        conclusion=conclude(stated, findings),
        findings=tuple(findings),
    )


def _one_log(logs: Sequence[Log]) -> list[Finding]:
    findings = []
    for log in logs:
        for metric in ("train", "batch"):
            findings += noise_findings(log, metric)
        for metric in log.series:
            findings += _some(overfitting_finding(log, metric)) if metric.startswith("validation") else []
    return findings


def _two_logs(logs: Sequence[Log]) -> list[Finding]:
    """The first log of each other arm against the first log of the first arm."""
    firsts = [runs[0] for runs in by_arm(logs).values()]
    findings = []
    for other in firsts[1:]:
        first = firsts[0]
        for metric in ("train", "batch"):
            if metric in first.series and metric in other.series:
                findings += [gap_finding(first, other, metric), order_finding(first, other, metric)]
        held_out = [metric for metric in first.series if metric.startswith("validation") and metric in other.series]
        for metric in held_out:
            findings += _some(best_finding(first, other, metric))
        findings += _some(apart_finding(first, other))
    return findings


def _loops(loops: Sequence[Loop], stated_noise: float | None) -> list[Finding]:
    return [
        finding
        for loop in loops
        for finding in loop_findings(loop, noise_of(loop, stated_noise), stated_noise=stated_noise)
    ]


def _some(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]


def _no_log() -> Finding:
    return Finding(
        kind="no-log",
        group="log",
        severity="note",
        subject="all files",
        sentence="No usable training log was found; only the stated numbers are examined.",
    )


def _summary(log: Log) -> LogSummary:
    points: dict[str, int] = {metric: len(readings) for metric, readings in log.series.items()}
    last = int(log.last_step) if log.last_step == int(log.last_step) else log.last_step
    return LogSummary(
        name=log.name, source=log.source, points=points, last_step=last, unit=log.unit, arm=log.arm, seed=log.seed
    )


def _tries(loop: Loop) -> LogSummary:
    kept = sum(one.kept for one in loop.tries)
    points = {"kept": kept, "other tries": len(loop.tries) - kept, "reruns": sum(len(one.reruns) for one in loop.tries)}
    return LogSummary(name=loop.name, source=loop.source, points=points, last_step=len(loop.tries))

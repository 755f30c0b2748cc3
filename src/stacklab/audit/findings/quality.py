"""Problems of a log itself: missing steps, values that are not finite, incomplete and damaged lines."""

import statistics
from collections.abc import Sequence
from itertools import pairwise

from stacklab.audit.reading.log import Log, Trouble, TroubleKind
from stacklab.audit.spec import Finding, Kind, Numbers, Severity

SHOWN = 5
MOST_GAPS = 0.25
WORDS: dict[TroubleKind, str] = {
    "log-not-finite": "values are not finite and are left out",
    "log-truncated": "",
    "log-damaged": "lines lack losses that others have",
    "log-repeated": "readings repeat a step already logged; the last one counts",
    "log-unread": "lines name a loss and were not understood",
    "log-aside": "other lines name a loss and are no readings of the log",
    "log-carried": "validation values repeat the last evaluation and are counted once",
    "log-units": "losses or counters are in another unit",
}
NOTES = frozenset({"log-aside", "log-carried", "log-units"})


def quality_findings(logs: Sequence[Log], *, stated_steps: int | None) -> list[Finding]:
    """Missing stretches of steps, an early end, and each kind of trouble of the reader."""
    findings = []
    for log in logs:
        unread = any(trouble.kind == "log-unread" for trouble in log.troubles)
        # What is missing may stand in the lines that were not understood.
        findings += [] if unread else [*_missing(log), *_early(log, stated_steps)]
        findings += _troubles(log)
    return findings


def _missing(log: Log) -> list[Finding]:
    """A step between neighbours of more than 1.5 times the usual one is a gap. Many are a change of the spacing."""
    gaps: dict[tuple[float, float], None] = {}
    usual = 0.0
    for readings in log.series.values():
        steps = [reading.step for reading in readings]
        spacings = [after - before for before, after in pairwise(steps)]
        if len(spacings) < 3:
            continue
        wide = [(a, b) for a, b in pairwise(steps) if b - a > 1.5 * statistics.mode(spacings)]
        if wide and len(wide) <= MOST_GAPS * len(spacings):
            usual = statistics.mode(spacings)
            gaps |= dict.fromkeys(wide)
    if not gaps:
        return []
    shown = ", ".join(f"{a:.15g} to {b:.15g}" for a, b in list(gaps)[:SHOWN])
    more = f" and {len(gaps) - SHOWN} more" if len(gaps) > SHOWN else ""
    sentence = f"No readings between {log.unit}s {shown}{more}; the usual spacing is {usual:.15g}."
    numbers: Numbers = {
        "gaps": len(gaps),
        "usual_spacing": usual,
        "first_gap_from": min(gaps)[0],
        "first_gap_to": min(gaps)[1],
    }
    return [_finding("log-steps-missing", log, sentence, numbers)]


def _early(log: Log, stated_steps: int | None) -> list[Finding]:
    planned = log.planned_steps or (stated_steps if log.unit == "step" else None)
    if planned is None or not log.series or log.last_step >= planned - _last_spacing(log):
        return []
    sentence = f"The log ends at {log.at(log.last_step)} of {planned:,}."
    return [_finding("log-short", log, sentence, {"last_step": log.last_step, "planned_steps": planned})]


def _last_spacing(log: Log) -> float:
    """A log of every k-th step ends up to k steps before the planned number where it counts from 0, and less than k
    steps before it where it counts from 1 and prints that number."""
    ends = [readings[-1].step - readings[-2].step for readings in log.series.values() if len(readings) > 1]
    from_zero = any(readings[0].step == 0 for readings in log.series.values())
    return min(ends, default=1) - (log.planned_steps is not None and not from_zero)


def _troubles(log: Log) -> list[Finding]:
    findings = []
    for kind, words in WORDS.items():
        troubles = [trouble for trouble in log.troubles if trouble.kind == kind]
        if not troubles:
            continue
        few = SHOWN if kind not in NOTES else 1
        places = "; ".join(_place(trouble, log) for trouble in troubles[:few])
        more = f"; and {len(troubles) - few} more" if len(troubles) > few else ""
        sentence = f"{len(troubles)} {words}: {places}{more}." if words else f"The log breaks off: {places}{more}."
        numbers: Numbers = {"count": len(troubles), "first_line": troubles[0].line}
        if troubles[0].step is not None:
            numbers["first_step"] = troubles[0].step
        findings.append(_finding(kind, log, sentence, numbers, severity="note" if kind in NOTES else "caution"))
    return findings


def _place(trouble: Trouble, log: Log) -> str:
    line = f"{log.source}:{trouble.line}: " if trouble.line else ""
    step = f" ({log.at(trouble.step)})" if trouble.step is not None else ""
    return f"{line}{trouble.what}{step}"


def _finding(kind: Kind, log: Log, sentence: str, numbers: Numbers, *, severity: Severity = "caution") -> Finding:
    return Finding(kind=kind, group="log", severity=severity, subject=log.name, sentence=sentence, numbers=numbers)

"""Training losses of one log and of two: their noise, the gap at the last point and over many, and whether the two runs
may have seen the same batches in the same order."""

import math
from collections.abc import Sequence

from stacklab.audit.findings.trend import DEGREE, START, Noise, detrend, hidden, spread_range
from stacklab.audit.reading.log import Common, Log, Metric, Reading, at_common_steps
from stacklab.audit.spec import Finding, Kind, Numbers, Severity
from stacklab.base.units import confidence
from stacklab.stats.result import Estimate, Result, Undefined

LEVEL = 0.05
WINDOWS = (1, 3, 5, 7, 10, 20)
SILENT, FUZZ = 1e-12, 1e-9


def noise_findings(log: Log, metric: Metric) -> list[Finding]:
    """The spread of one log's losses around their trend."""
    readings = log.series.get(metric, ())
    if not readings:
        return []
    noise = detrend(*_columns(readings))
    if isinstance(noise, Undefined):
        sentence = f"The noise of the {metric} loss cannot be estimated: {noise.reason}."
        return [_finding("noise", log.name, sentence, {"points": len(readings)}, severity="note", result=noise)]
    low, high = spread_range(*_columns(readings))
    half = log.half(metric)
    if hidden(noise, half):
        sentence = (
            f"The {metric} loss is printed to within {half:.2g} nats, which hides its noise; a single logged value is "
            "no more precise."
        )
    else:
        sentence = (
            f"The logged {metric} loss scatters by {noise.spread:.2g} nats around its trend "
            f"({low:.2g} to {high:.2g} by other trends); a single logged value is no more precise."
        )
    numbers: Numbers = {
        "spread": noise.spread,
        "spread_low": low,
        "spread_high": high,
        "half_digit": half,
        "points": len(noise.residuals),
        "trend_degree": DEGREE,
        "from_share": START,
        "neighbour_correlation": noise.neighbours,
    }
    return [_finding("noise", log.name, sentence, numbers, severity="note")]


def gap_finding(first: Log, second: Log, metric: Metric) -> Finding:
    """The gap (second - first) at the last common step against the mean gap of the last third of the common points.

    The noise is that of the gap itself: the residual of second - first around its own trend, whose interval holds
    whether or not the two logs share their batches.
    """
    common = at_common_steps(first, second, metric)
    subject = f"{second.name} - {first.name}"
    if not common.steps:
        missing = Undefined(reason=_nothing_common(first, second, metric))
        return _finding("last-gap", subject, f"{_upper(missing.reason)}.", {}, severity="note", result=missing)
    gaps = [b - a for a, b in zip(common.first, common.second, strict=True)]
    window = max(1, len(gaps) // 3)
    smooth = sum(gaps[-window:]) / window
    numbers: Numbers = {"last_gap": gaps[-1], "last_step": common.steps[-1], "window": window}
    numbers["half_digit"] = common.half
    numbers |= {f"mean_gap_last_{k}": sum(gaps[-k:]) / k for k in sorted({*WINDOWS, window}) if k <= len(gaps)}
    words = (
        f"At {first.at(common.steps[-1])} the {metric} losses differ by {nats(gaps[-1])} nats; the mean difference "
        f"over the last {window} logged points is {nats(smooth)}."
    )
    if abs(gaps[-1]) <= common.half * (1 + FUZZ):
        words += f" The printed digits leave a difference open by ±{common.half:.2g}."
    noise = detrend(common.steps, gaps)
    if isinstance(noise, Undefined):
        return _finding(
            "last-gap", subject, f"{words} Their noise: {noise.reason}.", numbers, severity="note", result=noise
        )
    last = _interval(gaps[-1], noise, 1, half=common.half)
    mean = _interval(smooth, noise, window, half=common.half)
    numbers |= {"gap_spread": noise.spread, "mean_gap_low": mean.low, "mean_gap_high": mean.high}
    apart = abs(gaps[-1]) > 1.25 * abs(smooth) or last.low <= 0 <= last.high
    if max(abs(gaps[-1]), abs(smooth)) <= common.half * (1 + FUZZ):
        return _finding("last-gap", subject, words, numbers, severity="note", result=last)
    sentence = (
        f"{words} Single differences scatter by {noise.spread:.2g}: the {confidence(last.level)} interval of the last "
        f"one is [{nats(last.low)}, {nats(last.high)}], that of the mean [{nats(mean.low)}, {nats(mean.high)}]."
    )
    return _finding("last-gap", subject, sentence, numbers, severity="caution" if apart else "agreement", result=last)


def nats(value: float) -> str:
    """A difference in nats, signed, with two digits.

    >>> nats(-0.7512), nats(0.00432)
    ('-0.75', '+0.0043')
    """
    return f"{value:+.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:+.2g}"


def _nothing_common(first: Log, second: Log, metric: Metric) -> str:
    if first.unit != second.unit:
        return f"one log counts {first.unit}s and the other {second.unit}s"
    return f"the logs have no {first.unit} of {metric} loss in common"


def _interval(value: float, noise: Noise, points: int, *, half: float) -> Estimate:
    """Student's t interval of a mean of `points` gaps, wider by what the printed digits leave open (`half`). Residuals
    that follow each other count as fewer points."""
    from scipy import stats

    kept = max(0.0, min(noise.neighbours, 0.95))
    effective = max(1.0, points * (1 - kept) / (1 + kept))
    half = float(stats.t.ppf(1 - LEVEL / 2, noise.freedom)) * noise.spread / math.sqrt(effective) + half
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        level=1 - LEVEL,
        n=len(noise.residuals),
        method="t, from the spread of the detrended gap",
    )


def _columns(readings: Sequence[Reading]) -> tuple[list[float], list[float]]:
    return [reading.step for reading in readings], [reading.value for reading in readings]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _finding(
    kind: Kind, subject: str, sentence: str, numbers: Numbers, *, severity: Severity, result: Result | None = None
) -> Finding:
    return Finding(
        kind=kind,
        group="training loss",
        severity=severity,
        subject=subject,
        sentence=sentence,
        numbers=numbers,
        result=result,
    )


def order_finding(first: Log, second: Log, metric: Metric) -> Finding:
    """Correlation of the two logs' residuals at equal steps.

    Batches that both runs saw move both losses alike, so the correlation is the share of the noise that the logs have
    in common, if both are equally noisy. A bump that both curves have for another reason correlates as well.
    """
    common = at_common_steps(first, second, metric)
    correlation = _correlation(common, first.half(metric), second.half(metric))
    severity, words = _reading(correlation)
    shown = "" if isinstance(correlation, Undefined) else _shown(correlation, metric)
    return Finding(
        kind="data-order",
        group="data",
        severity=severity,
        subject=f"{first.name} and {second.name}",
        sentence=words + shown,
        numbers={"common_points": len(common.steps)},
        result=correlation,
    )


def _reading(correlation: Result) -> tuple[Severity, str]:
    if isinstance(correlation, Undefined):
        return "note", f"Whether the logs share one order of the data cannot be determined: {correlation.reason}."
    if correlation.low > 0:
        return "agreement", "The logs move together: consistent with one order of the data."
    if correlation.high < 0.5:
        return "caution", "The logs do not move together: shared batches account for less than half of their noise."
    return "note", "The logs neither show nor exclude one order of the data."


def _shown(correlation: Estimate, metric: Metric) -> str:
    interval = f"{confidence(correlation.level)} CI {correlation.low:+.2f} to {correlation.high:+.2f}"
    return (
        f" The {metric} losses correlate around their trends by {correlation.value:+.2f} ({interval}), over "
        f"{correlation.n} common steps."
    )


def _correlation(common: Common, half: float, other_half: float) -> Result:
    """Fisher's z interval (Fisher 1924). The trend's coefficients come off the number of points, and points that follow
    their neighbours in both logs count as fewer (Bartlett 1935)."""
    if not common.steps:
        return Undefined(reason="no step is in both logs")
    left, right = detrend(common.steps, common.first), detrend(common.steps, common.second)
    if isinstance(left, Undefined):
        return left
    assert isinstance(right, Noise), "both have the same steps"
    if left.spread < SILENT or right.spread < SILENT:
        return Undefined(reason="a log has no noise around its trend")
    if hidden(left, half) or hidden(right, other_half):
        return Undefined(reason="the printed digits hide the noise of a log")
    import numpy as np
    from scipy import stats

    points = len(left.residuals)
    # Only positive correlation counts: removing a trend makes neighbours among few points negatively correlated.
    both = max(0.0, left.neighbours) * max(0.0, right.neighbours)
    effective = points * (1 - both) / (1 + both) - 3 - DEGREE
    if effective < 1:
        return Undefined(reason=f"{points} common points, whose neighbours are too strongly correlated")
    value = float(np.corrcoef(left.residuals, right.residuals)[0, 1])
    middle = math.atanh(min(max(value, SILENT - 1), 1 - SILENT))
    half = float(stats.norm.ppf(1 - LEVEL / 2)) / math.sqrt(effective)
    return Estimate(
        value=value,
        low=math.tanh(middle - half),
        high=math.tanh(middle + half),
        level=1 - LEVEL,
        n=points,
        method="Fisher z of detrended residuals",
    )

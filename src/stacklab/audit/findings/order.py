"""Whether two runs may have seen the same batches in the same order."""

import math

from stacklab.audit.findings.trend import DEGREE, Noise, detrend
from stacklab.audit.reading.log import Common, Log, Metric, at_common_steps
from stacklab.audit.spec import Finding, Severity
from stacklab.stats.result import Estimate, Result, Undefined

LEVEL = 0.05
SILENT = 1e-12


def order_finding(first: Log, second: Log, metric: Metric) -> Finding:
    """Correlation of the two logs' residuals at equal steps.

    Batches that both runs saw move both losses alike, so the correlation is the share of the noise that the logs have
    in common, if both are equally noisy. A bump that both curves have for another reason correlates as well.
    """
    common = at_common_steps(first, second, metric)
    correlation = _correlation(common)
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
    return (
        f" The {metric} losses correlate around their trends by {correlation.value:+.2f} "
        f"[{correlation.low:+.2f}, {correlation.high:+.2f}], over {correlation.n} common steps."
    )


def _correlation(common: Common) -> Result:
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

"""What the number of runs per arm can support."""

from collections.abc import Sequence

from stacklab.audit.reading.log import Log, Metric
from stacklab.audit.spec import Finding, Numbers
from stacklab.base.units import confidence
from stacklab.stats.describe import mean_t
from stacklab.stats.paired import smallest_sign_flip_p
from stacklab.stats.result import Estimate, Undefined

LEVEL = 0.05


def seed_findings(logs: Sequence[Log], *, stated_seeds: int | None) -> list[Finding]:
    """Per arm the mean of its runs' last losses, with Student's t interval, or why there is none."""
    arms: dict[str, list[Log]] = {}
    for log in logs:
        if log.series:
            arms.setdefault(log.arm, []).append(log)
    if not arms:
        return []
    fewest = min(len(runs) for runs in arms.values())
    findings = [_limit(fewest, len(arms), stated_seeds)]
    if fewest > 1:
        findings += [_mean(arm, runs, metric) for arm, runs in arms.items() for metric in _shared(runs)]
    return findings


def _limit(runs: int, arms: int, stated: int | None) -> Finding:
    smallest = smallest_sign_flip_p(runs)
    needed = next(n for n in range(1, 64) if smallest_sign_flip_p(n) <= LEVEL)
    result = Undefined(reason=f"needs 2 runs per arm, has {runs}") if runs < 2 else None
    if runs < 2:
        sentence = (
            "One run per arm: no interval over seeds and no p value is possible. The logs show the noise within a run "
            f"only, and seeds add to it. A sign-flip test reaches p <= {LEVEL:g} from {needed} pairs of runs."
        )
    else:
        sentence = (
            f"At least {runs} runs per arm: the smallest two-sided p that a sign-flip test can reach is {smallest:.3g}"
            f" ({needed} pairs would reach {smallest_sign_flip_p(needed):.3g})."
        )
    if stated is not None and stated != runs:
        sentence += f" {stated} seeds are stated; there are logs of {runs}."
    numbers: Numbers = {"arms": arms, "runs_per_arm": runs, "smallest_sign_flip_p": smallest, "pairs_needed": needed}
    return Finding(
        kind="seeds",
        group="seeds",
        severity="note" if smallest <= LEVEL else "caution",
        subject="all arms",
        sentence=sentence,
        numbers=numbers,
        result=result,
    )


def _mean(arm: str, runs: Sequence[Log], metric: Metric) -> Finding:
    values = [log.series[metric][-1].value for log in runs]
    result = mean_t(values, level=LEVEL)
    assert isinstance(result, Estimate), "there are two runs or more"
    return Finding(
        kind="seeds",
        group="seeds",
        severity="note",
        subject=arm,
        sentence=f"The last {metric} loss over {len(values)} runs is {result.value:.4f} "
        f"({confidence(result.level)} CI {result.low:.4f} to {result.high:.4f}).",
        numbers={"mean": result.value, "runs": len(values)},
        result=result,
    )


def _shared(runs: Sequence[Log]) -> list[Metric]:
    return [metric for metric in runs[0].series if all(metric in log.series for log in runs)]

"""Rows -> estimates -> verdicts, claim by claim."""

from typing import Literal

from pydantic import Field

from stacklab.base.spec import Items, Spec
from stacklab.stats.describe import mean_t
from stacklab.stats.paired import paired_bootstrap, paired_t, pairs_needed
from stacklab.stats.result import Estimate, Result
from stacklab.study.collect import Row
from stacklab.study.ledger import Entry, afterthought
from stacklab.study.plan import Contrast, Plan
from stacklab.study.spec import ClaimSpec

MOVE_BATCHES = ("data.", "train.batch_size", "train.steps")
"""Settings that change which batches are seen; arms that differ in none of them must have seen the same."""

Verdict = Literal["supported", "refuted", "equivalent", "inconclusive", "invalid"]


class Pair(Spec):
    """The metric of both arms at one seed."""

    seed: int
    arm: float
    against: float


class ClaimResult(Spec):
    """A verdict with all that it rests on. difference is arm minus against, paired by seed."""

    id: str
    statement: str
    metric: str
    arm: str
    against: str
    pairs: Items[Pair]
    arm_mean: Result
    against_mean: Result
    difference: Result
    bootstrap: Result
    verdict: Verdict
    reason: str
    seeds_needed: int | None = Field(None, description="pairs for 80 % power, where the verdict is inconclusive")
    afterthought: str = Field("", description="why the claim does not count as made before the data; empty: it does")


def analyse(plan: Plan, rows: list[Row], entries: list[Entry]) -> list[ClaimResult]:
    """The result of every contrast of the plan; `entries` of the ledger tell which were made before the data."""
    by_run = {(row.arm, row.seed): row for row in rows}
    return [_judge(plan, contrast, by_run, afterthought(contrast, entries)) for contrast in plan.contrasts]


def _judge(plan: Plan, contrast: Contrast, rows: dict[tuple[str, int], Row], afterthought: str) -> ClaimResult:
    claim = contrast.claim
    problem = _problem(plan, contrast, rows)
    pairs = _pairs(plan, contrast, rows)
    gaps = [pair.arm - pair.against for pair in pairs]
    difference = paired_t(gaps, level=claim.level)
    verdict, reason = decide(contrast, difference)
    if problem:
        verdict, reason = "invalid", problem
    return ClaimResult(
        id=contrast.id,
        statement=_statement(plan, contrast),
        metric=claim.metric,
        arm=claim.arm,
        against=contrast.against,
        pairs=tuple(pairs),
        arm_mean=mean_t([pair.arm for pair in pairs], level=claim.level),
        against_mean=mean_t([pair.against for pair in pairs], level=claim.level),
        difference=difference,
        bootstrap=paired_bootstrap(gaps, level=claim.level),
        verdict=verdict,
        reason=reason,
        seeds_needed=_seeds_needed(claim, gaps) if verdict == "inconclusive" else None,
        afterthought=afterthought,
    )


def _seeds_needed(claim: ClaimSpec, gaps: list[float]) -> int | None:
    """Pairs that would show a difference as large as the observed one; an equivalence asks another question.

    More than there are, since these did not suffice.
    """
    if claim.direction == "equivalent":
        return None
    needed = pairs_needed(gaps, level=claim.level)
    return None if needed is None else max(needed, len(gaps) + 1)


def _statement(plan: Plan, contrast: Contrast) -> str:
    """The claim's sentence, with {arm} and {against} replaced by the arms' labels."""
    labels = {"{arm}": plan.arm(contrast.claim.arm).label, "{against}": plan.arm(contrast.against).label}
    text = contrast.claim.statement
    for mark, label in labels.items():
        text = text.replace(mark, label)
    return text


def decide(contrast: Contrast, difference: Result) -> tuple[Verdict, str]:
    """The interval decides: all of it on the claimed side supports, all of it on the other side refutes.

    For an equivalence the 1 - 2 level interval would do (two one-sided tests); the wider one is used here.
    """
    claim = contrast.claim
    if not isinstance(difference, Estimate):
        return "inconclusive", difference.reason
    low, high = difference.low, difference.high
    interval = f"{1 - claim.level:.0%} interval of the difference [{low:+.4g}, {high:+.4g}]"
    if claim.direction == "equivalent":
        assert claim.margin is not None
        if -claim.margin < low and high < claim.margin:
            return "equivalent", f"{interval} lies within ±{claim.margin:g}"
        if low > claim.margin or high < -claim.margin:
            return "refuted", f"{interval} lies outside ±{claim.margin:g}"
        return "inconclusive", f"{interval} crosses ±{claim.margin:g}"
    if low <= 0.0 <= high:
        return "inconclusive", f"{interval} includes 0"
    if (high < 0.0) == (claim.direction == "lower"):
        return "supported", f"{interval} excludes 0"
    return "refuted", f"{interval} lies on the side not claimed"


def _pairs(plan: Plan, contrast: Contrast, rows: dict[tuple[str, int], Row]) -> list[Pair]:
    metric, pairs = contrast.claim.metric, []
    for seed in plan.seeds:
        left = rows[contrast.claim.arm, seed].metrics.get(metric)
        right = rows[contrast.against, seed].metrics.get(metric)
        if left is not None and right is not None:
            pairs.append(Pair(seed=seed, arm=left, against=right))
    return pairs


def _problem(plan: Plan, contrast: Contrast, rows: dict[tuple[str, int], Row]) -> str:
    """Why the contrast cannot be judged: a run that did not finish, a metric nobody has, other batches."""
    for name in (contrast.claim.arm, contrast.against):
        for seed in plan.seeds:
            row = rows[name, seed]
            if row.status != "finished":
                return f"{name} seed {seed}: {row.status}" + (f" ({row.reason})" if row.reason else "")
            if contrast.claim.metric not in row.metrics:
                return f"{name} seed {seed} has no metric {contrast.claim.metric}; it has {', '.join(row.metrics)}"
    if any(row.path.startswith(MOVE_BATCHES) for row in contrast.differences):
        return ""
    for seed in plan.seeds:
        if rows[contrast.claim.arm, seed].batches != rows[contrast.against, seed].batches:
            return f"seed {seed}: the two arms did not see the same batches"
    return ""

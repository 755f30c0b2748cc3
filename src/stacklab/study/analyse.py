"""Rows -> estimates -> verdicts, claim by claim."""

from typing import Literal, NamedTuple

from pydantic import Field

from stacklab.base.spec import Items, Spec
from stacklab.stats.describe import mean_t
from stacklab.stats.paired import paired_bootstrap, paired_t
from stacklab.stats.power import pairs_needed
from stacklab.stats.result import Result, Tested, Undefined
from stacklab.stats.verdict import judge
from stacklab.study.collect import Row, same_batches
from stacklab.study.evidence import Evidence, adjusted, claim_test, gather
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
    evidence: Evidence
    verdict: Verdict
    reason: str
    seeds_needed: int | None = Field(None, description="pairs for 80 % power, where the verdict is inconclusive")
    afterthought: str = Field("", description="why the claim does not count as made before the data; empty: it does")


def analyse(plan: Plan, rows: list[Row], entries: list[Entry]) -> list[ClaimResult]:
    """The result of every contrast of the plan; `entries` of the ledger tell which were made before the data."""
    by_run = {(row.arm, row.seed): row for row in rows}
    cases = [_case(plan, contrast, by_run) for contrast in plan.contrasts]
    tests = adjusted([_tested(case) for case in cases])
    return [_judge(plan, case, test, entries) for case, test in zip(cases, tests, strict=True)]


class Case(NamedTuple):
    """A contrast with its pairs. `problem`: why it cannot be judged."""

    contrast: Contrast
    pairs: list[Pair]
    problem: str

    @property
    def gaps(self) -> list[float]:
        return [pair.arm - pair.against for pair in self.pairs]


def _case(plan: Plan, contrast: Contrast, rows: dict[tuple[str, int], Row]) -> Case:
    return Case(contrast, _pairs(plan, contrast, rows), _problem(plan, contrast, rows))


def _tested(case: Case) -> Tested:
    """An invalid comparison has no p value."""
    return Undefined(reason=case.problem) if case.problem else claim_test(case.contrast.claim, case.gaps)


def _judge(plan: Plan, case: Case, tests: tuple[Tested, Tested, Tested], entries: list[Entry]) -> ClaimResult:
    contrast, claim = case.contrast, case.contrast.claim
    verdict: Verdict
    verdict, reason = judge(case.gaps, direction=claim.direction, margin=claim.margin, level=claim.level)
    if case.problem:
        verdict, reason = "invalid", case.problem
    arm, against = [pair.arm for pair in case.pairs], [pair.against for pair in case.pairs]
    return ClaimResult(
        id=contrast.id,
        statement=_statement(plan, contrast),
        metric=claim.metric,
        arm=claim.arm,
        against=contrast.against,
        pairs=tuple(case.pairs),
        arm_mean=mean_t(arm, level=claim.level),
        against_mean=mean_t(against, level=claim.level),
        difference=paired_t(case.gaps, level=claim.level),
        bootstrap=paired_bootstrap(case.gaps, level=claim.level),
        evidence=gather(claim, arm, against, tests),
        verdict=verdict,
        reason=reason,
        seeds_needed=_seeds_needed(claim, case.gaps) if verdict == "inconclusive" else None,
        afterthought=afterthought(contrast, entries),
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
        if not same_batches(rows[contrast.claim.arm, seed], rows[contrast.against, seed]):
            return f"seed {seed}: the two arms did not see the same batches"
    return ""

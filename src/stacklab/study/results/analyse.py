"""Rows -> estimates -> verdicts, claim by claim, each with the evidence beside it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from stacklab.base.spec import Items, Spec
from stacklab.stats.comparison import COMPARISONS, Comparison, Pairing
from stacklab.stats.describe import mean_t
from stacklab.stats.multiplicity import adjust
from stacklab.stats.needed import seeds_needed
from stacklab.stats.result import PValue, Result, SeedsNeeded, Tested, Undefined
from stacklab.stats.verdict import Relation, judge
from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.results.collect import Row, same_batches
from stacklab.study.results.ledger.entry import Entry
from stacklab.study.results.ledger.marks import afterthought
from stacklab.study.spec.study import ClaimSpec


class Evidence(Spec):
    """Statistics of one claim about two arms, from their values; each names its method.

    test: the p value of the test whose interval decides (for an equivalence, two one-sided tests). holm and
    benjamini_hochberg: the same, adjusted for all claims of the study. permutation: exact where feasible, of signs by
    seed, or of runs between the arms. effect: in standard deviations of the paired difference, or of a run.
    superiority: the share of seeds, or of all pairs of runs, at which the arm is better; lower counts as better unless
    the claim says higher.
    """

    test: Tested
    holm: Tested
    benjamini_hochberg: Tested
    permutation: Tested
    effect: Result
    superiority: Result
    correlation: Result


def claim_test(claim: ClaimSpec, by: Comparison, arm: Sequence[float], against: Sequence[float]) -> Tested:
    return by.test(arm, against) if claim.margin is None else by.equivalence(arm, against, margin=claim.margin)


def adjusted(tests: Sequence[Tested]) -> list[tuple[Tested, Tested, Tested]]:
    """Each test unadjusted, after Holm, and after Benjamini and Hochberg, over all claims of the study.

    A claim without a p value counts as p = 1, so that it does not weaken the correction of the others.
    """
    raw = [test.p if isinstance(test, PValue) else None for test in tests]
    families = [_as_tests(tests, adjust(raw, method=method), method) for method in ("holm", "benjamini-hochberg")]
    return list(zip(tests, *families, strict=True))


def _as_tests(tests: Sequence[Tested], adjusted: Sequence[float | None], method: str) -> list[Tested]:
    return [
        PValue(p=p, n=test.n, method=f"{test.method}, {method} over {len(tests)}")
        if isinstance(test, PValue) and p is not None
        else test
        for test, p in zip(tests, adjusted, strict=True)
    ]


def gather(
    claim: ClaimSpec,
    by: Comparison,
    arm: Sequence[float],
    against: Sequence[float],
    tests: tuple[Tested, Tested, Tested],
) -> Evidence:
    better, worse = (against, arm) if claim.direction == "higher" else (arm, against)
    test, after_holm, after_benjamini_hochberg = tests
    return Evidence(
        test=test,
        holm=after_holm,
        benjamini_hochberg=after_benjamini_hochberg,
        permutation=by.permutation(arm, against),
        effect=by.effect(arm, against, level=claim.level),
        superiority=by.superiority(better, worse, level=claim.level),
        correlation=by.correlation(arm, against, level=claim.level),
    )


Verdict = Literal["supported", "refuted", "equivalent", "inconclusive", "invalid"]


class Pair(Spec):
    """The metric of both arms at one seed. difference: arm minus against, None for unpaired arms."""

    seed: int
    arm: float
    against: float
    difference: float | None


class ClaimResult(Spec):
    """The verdict on one claim about one pair of arms, with the statistics behind it.

    claim: with the level of this look. difference, bootstrap: estimates of arm minus against. interval: the one that
    decides, or why there is none; for an equivalence it is narrower than that of `difference`. relation: where it lies.
    pairing: paired by seed, unless the arms differ in settings that change the batches; `pairs` of unpaired arms only
    list their values by seed.
    """

    id: str
    claim: ClaimSpec
    against: str
    statement: str
    pairing: Pairing
    pairs: Items[Pair]
    arm_mean: Result
    against_mean: Result
    difference: Result
    bootstrap: Result
    evidence: Evidence
    verdict: Verdict
    interval: Result
    relation: Relation | None
    seeds_needed: SeedsNeeded | None = Field(None, description="seeds for the claim's power, if it is inconclusive")
    afterthought: str = Field("", description="why the claim does not count as made before the data; empty if it does")

    @property
    def arm(self) -> str:
        return self.claim.arm

    @property
    def metric(self) -> str:
        return self.claim.metric


def analyse(plan: Plan, rows: list[Row], entries: list[Entry]) -> list[ClaimResult]:
    """The result of every contrast of the plan. entries: the ledger, which shows the claims made before the data."""
    by_run = {(row.arm, row.seed): row for row in rows}
    cases = [_case(plan, contrast, by_run) for contrast in plan.contrasts]
    tests = adjusted([_tested(case) for case in cases])
    return [_judge(plan, case, test, entries) for case, test in zip(cases, tests, strict=True)]


class Case(NamedTuple):
    """A contrast with the values of both arms, in the same order of seeds. `problem`: why it cannot be judged."""

    contrast: Contrast
    pairs: list[Pair]
    problem: str

    @property
    def by(self) -> Comparison:
        return COMPARISONS[self.contrast.pairing]

    @property
    def values(self) -> tuple[list[float], list[float]]:
        return [pair.arm for pair in self.pairs], [pair.against for pair in self.pairs]


def _case(plan: Plan, contrast: Contrast, rows: dict[tuple[str, int], Row]) -> Case:
    return Case(contrast, _pairs(plan, contrast, rows), _problem(plan, contrast, rows))


def _tested(case: Case) -> Tested:
    """An invalid comparison has no p value."""
    return Undefined(reason=case.problem) if case.problem else claim_test(case.contrast.claim, case.by, *case.values)


def _judge(plan: Plan, case: Case, tests: tuple[Tested, Tested, Tested], entries: list[Entry]) -> ClaimResult:
    contrast, claim, by = case.contrast, case.contrast.claim, case.by
    arm, against = case.values
    decision = judge(arm, against, by=by, direction=claim.direction, margin=claim.margin, level=claim.level)
    needed = None
    if decision.verdict == "inconclusive" and not case.problem:
        needed = seeds_needed(by, arm, against, margin=claim.margin, level=claim.level, power=claim.power)
    return ClaimResult(
        id=contrast.id,
        claim=claim,
        against=contrast.against,
        statement=_statement(plan, contrast),
        pairing=by.pairing,
        pairs=tuple(case.pairs),
        arm_mean=mean_t(arm, level=claim.level),
        against_mean=mean_t(against, level=claim.level),
        difference=by.difference(arm, against, level=claim.level),
        bootstrap=by.bootstrap(arm, against, level=claim.level),
        evidence=gather(claim, by, arm, against, tests),
        verdict="invalid" if case.problem else decision.verdict,
        interval=Undefined(reason=case.problem) if case.problem else decision.interval,
        relation=None if case.problem else decision.relation,
        seeds_needed=needed,
        afterthought=afterthought(plan, contrast, entries),
    )


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
            difference = left - right if contrast.pairing == "paired" else None
            pairs.append(Pair(seed=seed, arm=left, against=right, difference=difference))
    return pairs


def _problem(plan: Plan, contrast: Contrast, rows: dict[tuple[str, int], Row]) -> str:
    """Why the contrast cannot be judged: an unfinished run, a missing metric, different batches; empty if it can."""
    for name in (contrast.claim.arm, contrast.against):
        for seed in plan.seeds:
            row = rows[name, seed]
            if row.status != "finished":
                return f"{name} seed {seed}: {row.status}" + (f" ({row.reason})" if row.reason else "")
            if contrast.claim.metric not in row.metrics:
                return f"{name} seed {seed} has no metric {contrast.claim.metric}; it has {', '.join(row.metrics)}"
    if contrast.pairing == "unpaired":
        return ""
    for seed in plan.seeds:
        if not same_batches(rows[contrast.claim.arm, seed], rows[contrast.against, seed]):
            return f"seed {seed}: the two arms did not see the same batches"
    return ""

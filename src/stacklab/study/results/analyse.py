"""Rows -> estimates -> verdicts, claim by claim, each with the evidence beside it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pydantic import Field

from stacklab.base.spec import Items, Spec
from stacklab.run.metrics import is_share
from stacklab.stats.comparison import COMPARISONS, Comparison, Pairing
from stacklab.stats.describe import mean, mean_t
from stacklab.stats.needed import seeds_needed
from stacklab.stats.result import PValue, Result, SeedsNeeded, Tested, Undefined
from stacklab.stats.unpaired import solving_test
from stacklab.stats.verdict import Decision, Relation, Rule, judge
from stacklab.stats.verdict import Verdict as Alone
from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.results.collect import Row, same_batches
from stacklab.study.results.family import SUGGESTIVE, WORDS, Corrected, Verdict, correct
from stacklab.study.results.ledger.entry import Entry
from stacklab.study.results.ledger.marks import afterthought
from stacklab.study.spec.claim import ClaimSpec, labelled

SOLVED = 0.95
"""Accuracy from which a seed counts as one that solves, where the study's grid states no other."""


class Evidence(Spec):
    """Statistics of one claim about two arms, from their values; each names its method.

    test: the p value of the test that decides (for an equivalence, two one-sided tests). holm: the same, adjusted for
    the confirmatory claims of the study. benjamini_hochberg: adjusted for all claims. permutation: exact where
    feasible, of signs by seed, or of runs between the arms. effect: in standard deviations of the paired difference,
    or of a run.
    superiority: the share of seeds, or of all pairs of runs, at which the arm is better; lower counts as better unless
    the claim says higher. solving: of the seeds that solve, for an accuracy.
    """

    test: Tested
    holm: Tested
    benjamini_hochberg: Tested
    permutation: Tested
    effect: Result
    superiority: Result
    correlation: Result
    solving: PValue | None = None


def gather(
    claim: ClaimSpec,
    by: Comparison,
    arm: Sequence[float],
    against: Sequence[float],
    tests: tuple[Tested, Tested, Tested],
    *,
    solved: float,
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
        solving=solving_test(arm, against, solved=solved) if claim.bounded and arm and against else None,
    )


class Pair(Spec):
    """The metric of both arms at one seed. difference: arm minus against, None for unpaired arms."""

    seed: int
    arm: float
    against: float
    difference: float | None


class ClaimResult(Spec):
    """The verdict on one claim about one pair of arms, with the statistics behind it.

    claim: with the level of this look. matters: the smallest difference of interest in the metric's unit. confirmatory:
    whether the claim belongs to the family that is corrected for. alone: the verdict without that correction. verdict:
    with it. short: in what the runs were too short for a verdict; empty if they were long enough.

    difference, bootstrap: estimates of arm minus against. interval: the one that decides, or why there is none; for an
    equivalence it is narrower than that of `difference`. relation: where it lies. pairing: paired by seed, unless the
    arms differ in settings that change the batches; `pairs` of unpaired arms only list their values by seed.
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
    matters: float | None
    confirmatory: bool
    alone: Alone
    verdict: Verdict
    short: str = ""
    interval: Result
    relation: Relation | None
    seeds_needed: SeedsNeeded | None = Field(None, description="seeds for the claim's power, if it is inconclusive")
    afterthought: str = Field("", description="why the claim does not count as made before the data; empty if it does")

    @property
    def word(self) -> str:
        """The verdict as it is written everywhere."""
        word = SUGGESTIVE[self.alone] if self.verdict == "suggestive" else WORDS.get(self.verdict, self.verdict)
        return f"{word} {self.short}" if self.too_short else word

    @property
    def too_short(self) -> bool:
        """Whether the claim has a verdict that its runs were too short for."""
        return bool(self.short) and self.verdict not in ("inconclusive", "invalid")

    @property
    def arm(self) -> str:
        return self.claim.arm

    @property
    def metric(self) -> str:
        return self.claim.metric


def analyse(
    plan: Plan, rows: list[Row], entries: list[Entry], short: Mapping[str, str] = MappingProxyType({})
) -> list[ClaimResult]:
    """The result of every contrast of the plan.

    entries: the ledger, which shows the claims made before the data. short: contrast -> in what its runs were too short
    for a verdict.
    """
    by_run = {(row.arm, row.seed): row for row in rows}
    cases = [_case(plan, contrast, by_run) for contrast in plan.contrasts]
    decisions = [_decide(case) for case in cases]
    corrected = correct([case.contrast.claim for case in cases], decisions)
    return [
        _judge(plan, case, decision, outcome, entries, short)
        for case, decision, outcome in zip(cases, decisions, corrected, strict=True)
    ]


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


def _rule(case: Case) -> Rule:
    claim = case.contrast.claim
    matters = claim.matters_of(mean(case.values[1])) if case.pairs else None
    return Rule(claim.direction, claim.margin, claim.level, matters, claim.bounded)


def _decide(case: Case) -> Decision:
    """The verdict of the claim by itself. An invalid comparison has no p value."""
    if case.problem:
        undefined = Undefined(reason=case.problem)
        return Decision("inconclusive", undefined, None, undefined)
    return judge(*case.values, by=case.by, rule=_rule(case))


def _judge(
    plan: Plan, case: Case, decision: Decision, corrected: Corrected, entries: list[Entry], short: Mapping[str, str]
) -> ClaimResult:
    contrast, claim, by = case.contrast, case.contrast.claim, case.by
    arm, against = case.values
    solved = plan.study.grid.solved if plan.study.grid and is_share(plan.study.grid.metric) else SOLVED
    verdict: Verdict = "invalid" if case.problem else corrected.verdict
    tests = decision.test, corrected.holm, corrected.benjamini_hochberg
    needed = None
    if verdict in ("inconclusive", "suggestive") and decision.relation is not None:
        needed = seeds_needed(by, arm, against, margin=claim.margin, level=claim.level, power=claim.power)
    return ClaimResult(
        id=contrast.id,
        claim=claim,
        against=contrast.against,
        statement=labelled(claim.statement, arm=plan.arm(claim.arm).label, against=plan.arm(contrast.against).label),
        pairing=by.pairing,
        pairs=tuple(case.pairs),
        arm_mean=mean_t(arm, level=claim.level),
        against_mean=mean_t(against, level=claim.level),
        difference=by.difference(arm, against, level=claim.level),
        bootstrap=by.bootstrap(arm, against, level=claim.level),
        evidence=gather(claim, by, arm, against, tests, solved=solved),
        matters=_rule(case).matters,
        confirmatory=corrected.confirmatory,
        alone=decision.verdict,
        verdict=verdict,
        short=short.get(contrast.id, ""),
        interval=decision.interval,
        relation=decision.relation,
        seeds_needed=needed,
        afterthought=afterthought(plan, contrast, entries),
    )


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

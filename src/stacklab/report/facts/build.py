"""Plan and run folders -> facts: the one place where the report's numbers are gathered."""

from collections.abc import Mapping, Sequence

from stacklab.audit.spec import Audit
from stacklab.report.facts.architecture import architecture
from stacklab.report.facts.control import against_control
from stacklab.report.facts.estimates import LEVEL, counts, measures
from stacklab.report.facts.history import envelopes, run_fact
from stacklab.report.facts.limits import limits
from stacklab.report.facts.provenance import data_facts, flatten, order_facts, origin_rows
from stacklab.report.facts.reported import source_fact
from stacklab.report.facts.schema import ArmFact, ContrastFact, Facts, PairFact, RunFact, ScaleFact
from stacklab.report.format.palette import color, symbol
from stacklab.run.metrics import Metric, in_order
from stacklab.run.paths import OutPaths
from stacklab.study.planning.contrast import effective
from stacklab.study.planning.plan import ArmPlan, Contrast, Plan
from stacklab.study.results.aggregate import aggregates
from stacklab.study.results.analyse import ClaimResult, Pair
from stacklab.study.results.cells import thresholds
from stacklab.study.results.results import StudyResult
from stacklab.study.results.trend import trend


def build_facts(result: StudyResult, audit: Audit | None = None) -> Facts:
    """Everything the report says. Raises DataError for a file of a run folder that is damaged."""
    plan, out = result.plan, OutPaths(result.out)
    runs = [run_fact(row, plan.arm(row.arm).label, out.run(row.run_id)) for row in result.rows]
    arms = {arm.name: _arm(plan, arm, [run for run in runs if run.arm == arm.name]) for arm in plan.arms}
    contrasts = [_contrast(plan, *pair) for pair in zip(plan.contrasts, result.claims, strict=True)]
    origin, orders, data = origin_rows(runs, out), order_facts(plan, result.rows), flatten(plan.data)
    source = source_fact(plan, arms)
    study, scale = plan.study, plan.study.scales[plan.scale]
    return Facts(
        study=study.name,
        title=study.title,
        question=study.question,
        background=study.background,
        scale=ScaleFact(
            name=plan.scale,
            variant=plan.variant,
            description=scale.description,
            expected_time=scale.expected_time,
        ),
        seeds=plan.seeds,
        level=1 - LEVEL,
        metrics=_metrics(plan, arms),
        arms=tuple(arms.values()),
        runs=tuple(runs),
        contrasts=tuple(contrasts),
        not_asked=plan.not_asked,
        against_control=tuple(against_control(plan, list(arms.values()))),
        aggregates=tuple(aggregates(plan, result.rows)),
        trend=trend(plan, result.rows),
        base=_base(plan),
        tuning=tuple(result.tuning),
        grid=study.grid,
        cells=tuple(result.cells),
        thresholds=tuple(thresholds(study.grid, result.cells)) if study.grid else (),
        source=source,
        audit=audit,
        data_fingerprint=plan.data_fingerprint,
        data=data,
        datasets=data_facts(plan),
        epochs=_epochs(plan, data),
        provenance=origin,
        orders=orders,
        limits=limits(
            plan, runs=runs, contrasts=contrasts, orders=orders, origin=origin, data=data, tuning=result.tuning
        ),
    )


def _arm(plan: Plan, arm: ArmPlan, runs: Sequence[RunFact]) -> ArmFact:
    names = list(plan.study.arms)
    # A tuned arm follows all others in the palette.
    place = names.index(arm.origin or arm.name) + (len(names) if arm.origin else 0)
    return ArmFact(
        name=arm.name,
        label=arm.label,
        color=color(place),
        symbol=symbol(place),
        parameters=arm.parameters,
        total_parameters=arm.total_parameters,
        non_embedding_parameters=arm.non_embedding_parameters,
        flops_per_token=arm.flops_per_token,
        train_flops=arm.train_flops,
        planned=len(runs),
        finished=sum(run.status == "finished" for run in runs),
        measures=(*counts(arm), *measures(runs)),
        envelopes=envelopes(runs),
        match=arm.match,
        changes=arm.changes,
        architecture=architecture(arm.config.model),
    )


def _contrast(plan: Plan, contrast: Contrast, found: ClaimResult) -> ContrastFact:
    claim = contrast.claim
    return ContrastFact(
        id=found.id,
        claim=claim.id,
        statement=found.statement,
        metric=found.metric,
        arm=found.arm,
        arm_label=plan.arm(found.arm).label,
        against=found.against,
        against_label=plan.arm(found.against).label,
        direction=claim.direction,
        margin=claim.margin,
        level=claim.level,
        power=claim.power,
        verdict=found.verdict,
        reason=found.reason,
        pairing=found.pairing,
        pairs=tuple(_pair(found, pair) for pair in found.pairs),
        arm_mean=found.arm_mean,
        against_mean=found.against_mean,
        difference=found.difference,
        bootstrap=found.bootstrap,
        evidence=found.evidence,
        seeds_needed=found.seeds_needed,
        afterthought=found.afterthought,
        settings=contrast.differences,
    )


def _pair(found: ClaimResult, pair: Pair) -> PairFact:
    difference = pair.arm - pair.against if found.pairing == "paired" else None
    return PairFact(seed=pair.seed, arm=pair.arm, against=pair.against, difference=difference)


def _metrics(plan: Plan, arms: Mapping[str, ArmFact]) -> tuple[Metric, ...]:
    """Every metric that the facts name, whether or not a run has it."""
    names = {measure.metric for arm in arms.values() for measure in arm.measures}
    names |= {contrast.claim.metric for contrast in plan.contrasts}
    names |= {metric for aggregate in plan.study.aggregates for metric in aggregate.metrics}
    names |= {plan.study.trend.metric} if plan.study.trend else set()
    names |= {row.metric for row in (plan.study.source.reported if plan.study.source else ())}
    return tuple(in_order(names))


def _base(plan: Plan) -> dict[str, object]:
    """The base's settings; a vocabulary left to the tokenizer, and the steps of epochs, are what the arms got."""
    base = effective(plan.study.base)
    if base["train.epochs"] is not None:
        base["train.steps"] = plan.arms[0].config.train.steps
    if base.get("model.vocab_size") is None:
        base["model.vocab_size"] = plan.arms[0].config.model.vocab_size
    return base


def _epochs(plan: Plan, data: Mapping[str, object]) -> float | None:
    an_epoch = data.get("splits.train.tokens_per_epoch")
    if not isinstance(an_epoch, int) or not an_epoch:
        return None
    base = plan.study.base
    if base.train.epochs is not None:
        return base.train.epochs
    return base.train.steps * base.train.batch_size * base.data.block_size / an_epoch

"""The facts of a study: everything that its report says, as one storable value, and how plan and run folders fill it.

Tables, figures, HTML, Markdown and CSV are made from it. Every field comes from the plan and the run folders.
"""

from collections.abc import Mapping
from typing import Any, Literal

from stacklab.audit.spec import Audit
from stacklab.base.spec import Items, Spec
from stacklab.report.facts.arms import ArmFact, arm_fact
from stacklab.report.facts.contrasts import ContrastFact, contrast_fact
from stacklab.report.facts.estimates import LEVEL
from stacklab.report.facts.history import RunFact, run_fact
from stacklab.report.facts.ledger import LedgerFact, ledger_facts
from stacklab.report.facts.limits import limits, sentence
from stacklab.report.facts.provenance import (
    DataFact,
    OrderFact,
    ProvenanceFact,
    data_facts,
    flatten,
    order_facts,
    provenance_facts,
)
from stacklab.report.facts.references import ControlFact, SourceFact, against_control, source_fact
from stacklab.run.metrics import Metric, in_order
from stacklab.run.paths import OutPaths
from stacklab.study.planning.contrast import effective
from stacklab.study.planning.plan import Plan
from stacklab.study.results.aggregate import Aggregate, aggregates
from stacklab.study.results.cell import Cell as CellResult
from stacklab.study.results.cells import Threshold, thresholds
from stacklab.study.results.ledger.remark import Remark
from stacklab.study.results.results import StudyResult
from stacklab.study.results.trend import Trend, trend
from stacklab.study.results.tuning import ArmTuning
from stacklab.study.spec.grid import GridSpec


class ScaleFact(Spec):
    name: str
    variant: str
    description: str
    expected_time: str
    demonstration: bool


class Facts(Spec):
    """The whole report. `format` is raised when a field changes its meaning."""

    format: Literal[3] = 3
    study: str
    title: str
    question: str
    background: str
    summary: str
    """The answer in one paragraph."""
    scale: ScaleFact
    seeds: Items[int]
    level: float
    """Confidence level of the intervals of single arms; a contrast has its own."""
    metrics: Items[Metric]
    arms: Items[ArmFact]
    runs: Items[RunFact]
    contrasts: Items[ContrastFact]
    not_asked: Items[str]
    against_control: Items[ControlFact]
    aggregates: Items[Aggregate]
    trend: Trend | None
    """None for a study without one."""
    base: dict[str, Any]
    """Every setting of the base by dotted path."""
    tuning: Items[ArmTuning]
    """Every arm over the grid of learning rates; empty for a study without one."""
    grid: GridSpec | None
    cells: Items[CellResult]
    thresholds: Items[Threshold]
    """None and empty for a study whose arms are not a grid."""
    source: SourceFact | None
    audit: Audit | None
    """The audit of the source's log; None without one."""
    data_fingerprint: str
    data: dict[str, Any]
    """The manifest of the prepared data of the base by dotted path."""
    datasets: Items[DataFact]
    """All data that arms train on, in the order of the arms; in most studies the data of the base alone."""
    epochs: float | None
    """Training tokens of a run as a multiple of the tokens of one epoch."""
    provenance: Items[ProvenanceFact]
    orders: Items[OrderFact]
    data_warnings: Items[str]
    """What of the data weakens conclusions, such as a column with text that is not read."""
    limits: Items[str]
    ledger: Items[LedgerFact]
    remarks: Items[Remark]
    """What a reader must know of the ledger and of altered run folders before the verdicts."""

    def arm(self, name: str) -> ArmFact:
        return next(arm for arm in self.arms if arm.name == name)

    def metric(self, name: str) -> Metric:
        return next(metric for metric in self.metrics if metric.name == name)

    def by_claim(self) -> list[list[ContrastFact]]:
        """The comparisons of each claim, in the study's order."""
        groups: dict[str, list[ContrastFact]] = {}
        for contrast in self.contrasts:
            groups.setdefault(contrast.claim.id, []).append(contrast)
        return list(groups.values())

    def runs_of(self, arm: str) -> list[RunFact]:
        return [run for run in self.runs if run.arm == arm]


def build_facts(result: StudyResult, audit: Audit | None = None) -> Facts:
    """The facts of a study, with the audit of its source. A damaged run folder costs the history of its run."""
    plan, out = result.plan, OutPaths(result.out)
    runs = [run_fact(row, plan.arm(row.arm).label, out.run(row.run_id)) for row in result.rows]
    arms = {arm.name: arm_fact(plan, arm, [run for run in runs if run.arm == arm.name]) for arm in plan.arms}
    contrasts = [contrast_fact(plan, *pair, runs) for pair in zip(plan.contrasts, result.claims, strict=True)]
    provenance, orders, data = provenance_facts(runs, out), order_facts(plan, result.rows), flatten(plan.data)
    source = source_fact(plan, arms)
    study, scale = plan.study, plan.study.scales[plan.scale]
    return Facts(
        study=study.name,
        title=study.title,
        question=study.question,
        background=study.background,
        summary=result.summary,
        scale=ScaleFact(
            name=plan.scale,
            variant=plan.variant,
            description=scale.description,
            expected_time=scale.expected_time,
            demonstration=scale.demonstration,
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
        provenance=provenance,
        orders=orders,
        data_warnings=tuple(map(sentence, plan.data_warnings)),
        limits=limits(
            plan,
            runs=runs,
            contrasts=contrasts,
            orders=orders,
            provenance=provenance,
            data=data,
            tuning=result.tuning,
        ),
        ledger=ledger_facts(result.ledger),
        remarks=result.remarks,
    )


def _metrics(plan: Plan, arms: Mapping[str, ArmFact]) -> tuple[Metric, ...]:
    """Every metric that the facts name, whether or not a run has it."""
    names = {measure.metric for arm in arms.values() for measure in arm.measures}
    names |= {contrast.claim.metric for contrast in plan.contrasts}
    names |= {metric for aggregate in plan.study.aggregates for metric in aggregate.metrics}
    names |= {plan.study.trend.metric} if plan.study.trend else set()
    names |= {row.metric for row in (plan.study.source.reported if plan.study.source else ())}
    return tuple(in_order(names))


def _base(plan: Plan) -> dict[str, object]:
    """The base's settings, with the vocabulary that the tokenizer decides and the steps that epochs come to."""
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

"""The facts of a study: everything that its report says, as one storable value.

Tables, figures, HTML, Markdown and CSV are skins over it. Every field comes from the plan and the run folders.
"""

from typing import Any, Literal

from stacklab.audit.spec import Audit
from stacklab.base.spec import Items, Spec
from stacklab.data.novelty import Novelty
from stacklab.run.metrics import Metric
from stacklab.stats.comparison import Pairing
from stacklab.stats.result import Result, SeedsNeeded, Tested
from stacklab.study.planning.plan import DifferencePlan, MatchPlan
from stacklab.study.planning.tuning import ArmTuning
from stacklab.study.results.aggregate import Aggregate
from stacklab.study.results.cell import Cell as CellResult
from stacklab.study.results.cells import Threshold
from stacklab.study.results.evidence import Evidence
from stacklab.study.results.trend import Trend
from stacklab.study.spec.grid import GridSpec


class Measure(Spec):
    """One metric of one arm over its finished runs. `mean` is None when there is no value at all."""

    metric: str
    seeds: Items[int]
    values: Items[float]
    mean: float | None
    estimate: Result


class Part(Spec):
    """A piece of the stack as built. `parameters` None: it has none of its own."""

    name: str
    detail: str
    parameters: int | None = None


class Architecture(Spec):
    """From the tokens upwards: `before`, then `block` repeated, then `after`."""

    before: Items[Part]
    block: Items[Part]
    repeat: int
    block_parameters: int
    """Of all blocks together."""
    after: Items[Part]


class Envelope(Spec):
    """Mean and range over the finished seeds of an arm, at the steps that all of them were evaluated at."""

    metric: str
    steps: Items[int]
    mean: Items[float]
    low: Items[float]
    high: Items[float]


class ArmFact(Spec):
    name: str
    label: str
    color: str
    symbol: str
    parameters: dict[str, int]
    total_parameters: int
    non_embedding_parameters: int
    flops_per_token: int
    train_flops: int
    planned: int
    finished: int
    """Numbers of runs."""
    measures: Items[Measure]
    envelopes: Items[Envelope]
    match: MatchPlan | None
    changes: Items[DifferencePlan]
    architecture: Architecture

    def measure(self, metric: str) -> Measure | None:
        return next((measure for measure in self.measures if measure.metric == metric), None)


class LogRow(Spec):
    """One evaluation, and the training step just before it. Losses in nats per token, seconds since the start."""

    step: int
    learning_rate: float | None
    batch_loss: float | None
    train_probe: float | None
    validation: float | None
    seconds: float | None


class Sample(Spec):
    """`before` and `after` training; None where the run did not get so far. `novelty`: of the text after training."""

    prompt: str
    before: str | None
    after: str | None
    novelty: Novelty | None


class RunFact(Spec):
    """One run. `batch_steps` and `batch_losses` are every `batch_stride`-th training batch."""

    arm: str
    label: str
    seed: int
    run_id: str
    status: str
    reason: str
    step: int
    batches: str
    metrics: dict[str, float]
    timing: dict[str, float | None]
    best_step: int | None
    best_loss: float | None
    log: Items[LogRow]
    batch_stride: int
    batch_steps: Items[int]
    batch_losses: Items[float]
    samples: Items[Sample]


class PairFact(Spec):
    """The values of both arms at one seed. `difference` is None where the seeds pair nothing."""

    seed: int
    arm: float
    against: float
    difference: float | None


class ContrastFact(Spec):
    """A claim about two arms, as judged. `difference` and `bootstrap` are of arm minus against.

    pairing: paired by seed; or unpaired, two groups of runs, where the arms differ in what moves the batches.
    """

    id: str
    claim: str
    statement: str
    metric: str
    arm: str
    arm_label: str
    against: str
    against_label: str
    direction: Literal["lower", "higher", "equivalent"]
    margin: float | None
    level: float
    power: float
    verdict: str
    reason: str
    pairing: Pairing
    pairs: Items[PairFact]
    arm_mean: Result
    against_mean: Result
    difference: Result
    bootstrap: Result
    evidence: Evidence
    seeds_needed: SeedsNeeded | None
    """To reach `power`; None where the verdict is not inconclusive."""
    afterthought: str
    """Why the claim does not count as made before the data; empty when it does."""
    settings: Items[DifferencePlan]


class ControlFact(Spec):
    """One arm minus the control, with the p value and interval of Dunnett's test over all arms of the metric."""

    metric: str
    arm: str
    label: str
    control: str
    p: Tested
    difference: Result


class ReportedFact(Spec):
    """A number that the source printed, beside the one found here. `absent`: why there is none."""

    arm: str
    label: str
    metric: str
    reported: float
    note: str
    reproduced: Measure | None
    difference: Result | None
    """Reproduced minus reported, with the interval over seeds."""
    gap: float | None
    """The same without interval, which one seed gives too."""
    absent: str


class SourceFact(Spec):
    title: str
    rows: Items[ReportedFact]
    differences: Items[str]
    settings_note: str
    """Whether this scale uses the source's settings."""


class OriginRow(Spec):
    """One fact of provenance: each distinct value with the number of runs that have it."""

    key: str
    values: dict[str, int]


class OrderFact(Spec):
    """Whether the arms saw the same batches at one seed; None when fewer than two arms have a recorded order."""

    seed: int
    arms: int
    equal: bool | None
    hashes: Items[str]


class DataFact(Spec):
    """Data that arms train on: what was asked for, by setting, and the labels of the arms."""

    data_fingerprint: str
    name: str
    settings: dict[str, Any]
    arms: Items[str]


class ScaleFact(Spec):
    name: str
    variant: str
    description: str
    expected_time: str


class Facts(Spec):
    """The whole report. `format` is raised when a field changes its meaning."""

    format: Literal[1] = 1
    study: str
    title: str
    question: str
    background: str
    scale: ScaleFact
    seeds: Items[int]
    level: float
    """Confidence of the intervals of single arms; a contrast has its own."""
    metrics: Items[Metric]
    arms: Items[ArmFact]
    runs: Items[RunFact]
    contrasts: Items[ContrastFact]
    not_asked: Items[str]
    against_control: Items[ControlFact]
    aggregates: Items[Aggregate]
    trend: Trend | None
    """Of a study that asks for one."""
    base: dict[str, Any]
    """Every setting of the base by dotted path."""
    tuning: Items[ArmTuning]
    """What every arm came to over the grid of learning rates; empty where the study has none."""
    grid: GridSpec | None
    cells: Items[CellResult]
    thresholds: Items[Threshold]
    """Of a study whose arms are a grid; None and empty for others."""
    source: SourceFact | None
    audit: Audit | None
    """Of the source's log, where one was given."""
    data_fingerprint: str
    data: dict[str, Any]
    """The manifest of the prepared data of the base by dotted path."""
    datasets: Items[DataFact]
    """All data that arms train on, in the order of the arms; of most studies those of the base alone."""
    epochs: float | None
    """Training tokens of a run as a multiple of the tokens of one epoch."""
    provenance: Items[OriginRow]
    orders: Items[OrderFact]
    limits: Items[str]

    def arm(self, name: str) -> ArmFact:
        return next(arm for arm in self.arms if arm.name == name)

    def metric(self, name: str) -> Metric:
        return next(metric for metric in self.metrics if metric.name == name)

    def runs_of(self, arm: str) -> list[RunFact]:
        return [run for run in self.runs if run.arm == arm]

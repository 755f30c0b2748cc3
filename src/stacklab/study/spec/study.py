"""A study: a question, a base configuration, arms, seeds and claims. No torch here."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from stacklab.base.spec import Items, Spec, Text, added
from stacklab.model.count import Quantity
from stacklab.model.spec import ModelSpec
from stacklab.run.metrics import check_metric, describe
from stacklab.run.spec import RunData, RunSpec
from stacklab.study.spec.checks import check_seeds, twice
from stacklab.study.spec.claim import ClaimSpec
from stacklab.study.spec.grid import GridSpec
from stacklab.study.spec.rates import BOTH_RATES, NO_CELLS, RetrySpec, TuningSpec
from stacklab.study.spec.trend import TrendSpec
from stacklab.train.spec import EvaluateSpec, SampleSpec, TrainSpec

Changes = dict[Text, Any]
"""Dotted path -> value, for example {model.num_layers: 12}."""


class StudyTrainSpec(TrainSpec):
    """epochs: passes over the training text; replaces `steps`, which are then computed from the data."""

    epochs: PositiveFloat | None = None

    def as_run(self) -> TrainSpec:
        return TrainSpec(**{name: getattr(self, name) for name in TrainSpec.model_fields})


class BaseSpec(Spec):
    """The configuration that all arms share."""

    data: RunData
    model: ModelSpec
    train: StudyTrainSpec = StudyTrainSpec()
    evaluate: EvaluateSpec = EvaluateSpec()
    sample: SampleSpec = SampleSpec()

    @model_validator(mode="after")
    def _optimizer_has_rules(self) -> Self:
        self.train.optimizer.check_parametrisation(self.model.parametrisation.kind)
        return self

    def with_model(self, model: ModelSpec) -> Self:
        return self.model_validate(self.dump() | {"model": model.dump()})

    @classmethod
    def of_run(cls, spec: RunSpec) -> Self:
        """The configuration of a run."""
        sections = spec.dump()
        return cls.model_validate({name: sections[name] for name in cls.model_fields})

    def as_run(self, data_fingerprint: str, *, seed: int) -> RunSpec:
        sections = {name: getattr(self, name) for name in BaseSpec.model_fields} | {"train": self.train.as_run()}
        return RunSpec(data_fingerprint=data_fingerprint, seed=seed, **sections)


class MatchSpec(Spec):
    """Solve `knob` so that `quantity` equals that of the arm `to`, within `tolerance` (relative).

    step_seconds is the time of a training step, measured on this machine when the study is first planned.
    tolerance: None means 0.02, and 0.05 for step_seconds, which is noisy.
    The knob is a multiple of `multiple_of`, and d_model also of every num_heads.
    """

    quantity: Literal[Quantity, "step_seconds"]
    to: Text
    knob: Literal["model.d_model", "model.d_ff", "model.num_layers"] = "model.d_model"
    multiple_of: PositiveInt = 1
    tolerance: float | None = Field(None, gt=0)

    @property
    def allowed(self) -> float:
        """The effective tolerance."""
        if self.tolerance is not None:
            return self.tolerance
        return 0.05 if self.quantity == "step_seconds" else 0.02


class ArmSpec(Spec):
    """The base with `change` applied and, in a matched control, a solved knob.

    consequences: paths that are meant to move along with the change (a solved width, the d_ff that follows from it). A
    path that moves and is neither a knob of the study nor declared here is an error.
    """

    label: Text
    change: Changes = Field(default_factory=dict)
    match: MatchSpec | None = None
    consequences: Items[Text] = ()

    @model_validator(mode="after")
    def _knob_is_free(self) -> Self:
        if self.match is not None and self.match.knob in self.change:
            raise ValueError(f"change sets {self.match.knob}, which match solves; remove one of the two")
        return self


class AggregateSpec(Spec):
    """One number over several metrics on one scale, such as the accuracy over tasks, for every arm."""

    name: Text = Field(pattern=r"^[a-z0-9-]+$")
    label: Text
    metrics: Items[Text] = Field(min_length=2)

    @field_validator("metrics")
    @classmethod
    def _some_run_has_them(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_metric(metric) for metric in metrics)

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if repeated := twice(self.metrics):
            raise ValueError(f"the metric {repeated[0]} is named twice")
        if len({describe(metric).scale for metric in self.metrics}) > 1:
            scales = ", ".join(f"{metric} ({describe(metric).scale})" for metric in self.metrics)
            raise ValueError(f"an aggregate needs metrics on one scale, not {scales}")
        return self


class ScaleSpec(Spec):
    """One size of the study: changes to the base, the arms and claims that it keeps (None: all), the seeds.

    tuning: every claim is also stated with each arm at its own best learning rate.
    retry: only for a study with a grid: further learning rates at which a stack is trained before it counts as failing.
    demonstration: the scale shows the machinery alone; it is announced as such, and its verdicts do not count as clear.
    """

    description: Text
    expected_time: Text
    set: Changes = Field(default_factory=dict)
    arms: Items[Text] | None = None
    claims: Items[Text] | None = None
    seeds: Items[int]
    tuning: TuningSpec | None = None
    retry: RetrySpec | None = None
    demonstration: bool = added(False)

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        return check_seeds(seeds)

    @model_validator(mode="after")
    def _one_kind_of_rates(self) -> Self:
        if self.tuning and self.retry:
            raise ValueError(f"retry: {BOTH_RATES}")
        return self


class ReportedSpec(Spec):
    """A value reported in the source, for an arm and a metric, in the metric's unit."""

    arm: Text
    metric: Text
    value: float
    note: Text = ""


class SourceSpec(Spec):
    """The source of the study, the values that it reports, and why the numbers here may differ."""

    title: Text
    reported: Items[ReportedSpec] = ()
    differences: Items[Text] = ()


class StudySpec(Spec):
    """The whole study. knobs: the paths that arms may change; a study of a single question has one, a plain run none.

    control: the arm that the report compares all others with, at one joint level.
    """

    name: Text = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: Text
    question: Text
    background: Text = ""
    knobs: Items[Text]
    base: BaseSpec
    arms: dict[Text, ArmSpec] = Field(min_length=1)
    grid: GridSpec | None = None
    control: Text | None = None
    claims: Items[ClaimSpec] = ()
    aggregates: Items[AggregateSpec] = ()
    trend: TrendSpec | None = None
    scales: dict[Text, ScaleSpec] = Field(min_length=1)
    source: SourceSpec | None = None
    limits: Items[Text] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is one run, with nothing to compare."""
        return not self.knobs

    @model_validator(mode="after")
    def _has_knobs(self) -> Self:
        if self.is_plain and (len(self.arms) > 1 or self.claims or any(arm.change for arm in self.arms.values())):
            raise ValueError("knobs: name the paths that arms may change; only a single run has none")
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for where, name in self._arm_references():
            if name not in self.arms:
                raise ValueError(f"{where} names the arm {name!r}; the arms are {', '.join(self.arms)}")
        ids = [claim.id for claim in self.claims]
        for key, scale in self.scales.items():
            if unknown := set(scale.claims or ()) - set(ids):
                raise ValueError(
                    f"scales.{key}.claims names the claim {min(unknown)!r}; the claims are {', '.join(ids)}"
                )
            if scale.retry and self.grid is None:
                raise ValueError(f"scales.{key}.retry: {NO_CELLS}")
        if repeated := twice(ids):
            raise ValueError(f"the claim id {repeated[0]!r} is used twice")
        if repeated := twice(aggregate.name for aggregate in self.aggregates):
            raise ValueError(f"the aggregate name {repeated[0]!r} is used twice")
        return self

    def _arm_references(self) -> list[tuple[str, str]]:
        matches = [(f"arms.{name}.match.to", arm.match.to) for name, arm in self.arms.items() if arm.match]
        claims = [(f"claim {claim.id}", name) for claim in self.claims for name in (claim.arm, *claim.against)]
        scales = [(f"scales.{key}.arms", name) for key, scale in self.scales.items() for name in scale.arms or ()]
        reported = [("source.reported", row.arm) for row in (self.source.reported if self.source else ())]
        control = [("control", self.control)] if self.control else []
        series = self.trend.series.items() if self.trend else ()
        trend = [(f"trend.series.{key}", name) for key, names in series for name in names]
        return matches + claims + scales + reported + control + trend

"""The arms: sizes, estimates, envelopes of their curves, and the stack as built."""

from collections.abc import Sequence

from stacklab.base.spec import Items, Spec
from stacklab.report.facts.architecture import Architecture, architecture
from stacklab.report.facts.estimates import Measure, counts, measures
from stacklab.report.facts.history import Envelope, RunFact, envelopes
from stacklab.study.planning.contrast import Difference
from stacklab.study.planning.plan import ArmPlan, MatchPlan, Plan


class ArmFact(Spec):
    """One arm. `place`: among all arms of the study, tuned arms after the others; it decides colour and marker."""

    name: str
    label: str
    place: int
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
    changes: Items[Difference]
    architecture: Architecture

    def measure(self, metric: str) -> Measure | None:
        return next((measure for measure in self.measures if measure.metric == metric), None)


def arm_fact(plan: Plan, arm: ArmPlan, runs: Sequence[RunFact]) -> ArmFact:
    """runs: those of the arm."""
    names = list(plan.study.arms)
    return ArmFact(
        name=arm.name,
        label=arm.label,
        place=names.index(arm.origin or arm.name) + (len(names) if arm.origin else 0),
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

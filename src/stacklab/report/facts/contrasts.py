"""The claims as judged, with the names that the report prints."""

from collections.abc import Sequence

from stacklab.base.spec import Items
from stacklab.report.facts.history import RunFact
from stacklab.stats.result import Undefined
from stacklab.study.planning.contrast import Difference
from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.results.analyse import ClaimResult
from stacklab.study.results.compute import ArmCurves, EffectiveCompute, effective_compute

FINAL_LOSSES = {"train_probe.loss": "train_probe", "validation.loss": "validation"}
"""Metrics that are the last value of a curve of evaluations -> its field in the log of a run."""


class ContrastFact(ClaimResult):
    """The verdict on one claim about one pair of arms, with their labels and all settings in which they differ.

    difference, bootstrap: of arm minus against. interval: the one that decides, or why there is none; relation: how it
    lies. pairs: the values of both arms by seed. compute: only for a valid claim on a final loss.
    """

    arm_label: str
    against_label: str
    settings: Items[Difference]
    compute: EffectiveCompute | Undefined | None


def contrast_fact(plan: Plan, contrast: Contrast, result: ClaimResult, runs: Sequence[RunFact]) -> ContrastFact:
    """runs: those of the study, with their curves."""
    return ContrastFact(
        **dict(result),
        arm_label=plan.arm(result.arm).label,
        against_label=plan.arm(result.against).label,
        settings=contrast.differences,
        compute=_compute(plan, result, runs),
    )


def _compute(plan: Plan, result: ClaimResult, runs: Sequence[RunFact]) -> EffectiveCompute | Undefined | None:
    probe = FINAL_LOSSES.get(result.metric)
    if probe is None or result.verdict == "invalid":
        return None
    one, other = (_curves(plan, name, probe, runs) for name in (result.arm, result.against))
    return effective_compute(one, other)


def _curves(plan: Plan, name: str, probe: str, runs: Sequence[RunFact]) -> ArmCurves:
    arm = plan.arm(name)
    a_step = arm.train_flops / arm.config.train.steps
    by_seed = {
        run.seed: [(a_step * row.step, loss) for row in run.log if (loss := getattr(row, probe)) is not None]
        for run in runs
        if run.arm == name
    }
    return ArmCurves(name, arm.label, by_seed)

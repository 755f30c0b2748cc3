"""Tuning of learning rates, before anything is trained: the runs of the grid, and the claims about tuned arms."""

from itertools import product

from stacklab.base.spec import Spec
from stacklab.study.planning.plan import ArmPlan, Contrast, Plan
from stacklab.study.planning.rates import with_optimizer
from stacklab.train.spec import SampleSpec

METRIC = "tuning.loss"
MARK = "@tuned"
"""Suffix of the name of an arm at its own best setting."""


class Setting(Spec):
    """A point of the grid."""

    learning_rate: float
    weight_decay: float


def tuning_plan(plan: Plan) -> Plan:
    """The runs of the grid: each arm at each setting, on the tuning seeds; no arm for a study that does not tune."""
    arms = tuple(at_setting(arm, setting) for arm in plan.arms for setting in grid_of(plan, arm))
    return plan.model_copy(
        update={"arms": arms, "seeds": plan.tuning.seeds if plan.tuning else (), "contrasts": (), "tuning": None}
    )


def grid_of(plan: Plan, arm: ArmPlan) -> list[Setting]:
    """The settings at which an arm is trained; empty for a study that does not tune."""
    if plan.tuning is None:
        return []
    decays = plan.tuning.weight_decays or (arm.config.train.optimizer.weight_decay,)
    pairs = product(plan.tuning.learning_rates, decays)
    return [Setting(learning_rate=rate, weight_decay=decay) for rate, decay in pairs]


def at_setting(arm: ArmPlan, setting: Setting) -> ArmPlan:
    """The arm at a point of the grid: measured on the tuning split, without problems and samples, and trained for all
    its steps, since losses at unequal steps would favour slow arms."""
    config = with_optimizer(arm.config, **setting.model_dump())
    evaluate = config.evaluate.model_copy(update={"split": "tuning", "problems": 0})
    train = config.train.model_copy(update={"stop": None})
    config = config.model_copy(update={"train": train, "evaluate": evaluate, "sample": SampleSpec()})
    point = f"{setting.learning_rate:g}, decay {setting.weight_decay:g}"
    return arm.model_copy(
        update={
            "name": f"{arm.name}@{setting.learning_rate:g},{setting.weight_decay:g}",
            "label": f"{arm.label}, rate {point}",
            "config": config,
            "origin": arm.name,
        }
    )


def setting_of(arm: ArmPlan) -> Setting:
    """The setting at which an arm is trained."""
    optimizer = arm.config.train.optimizer
    return Setting(learning_rate=optimizer.learning_rate, weight_decay=optimizer.weight_decay)


def tuned_contrasts(plan: Plan) -> list[Contrast]:
    """Every claim about arms at their own best settings, stated before those settings are known."""
    return [] if plan.tuning is None else [_about_tuned(contrast) for contrast in plan.contrasts]


def _about_tuned(contrast: Contrast) -> Contrast:
    claim = contrast.claim
    names = {"arm": claim.arm + MARK, "against": tuple(name + MARK for name in claim.against)}
    return Contrast(
        id=contrast.id + MARK,
        claim=claim.model_copy(update=names),
        against=contrast.against + MARK,
        differences=(),
    )

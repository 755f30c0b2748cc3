"""Fair learning rates: every arm is trained over one grid, and its settings chosen on seeds and text no claim sees."""

import statistics
from itertools import product
from pathlib import Path
from typing import NamedTuple

from stacklab.base.spec import Items, Spec
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.study.planning.contrast import differences
from stacklab.study.planning.plan import ArmPlan, Contrast, DifferencePlan, Plan
from stacklab.study.planning.rates import with_optimizer
from stacklab.study.results.collect import Row, run_row
from stacklab.study.spec.study import BaseSpec
from stacklab.train.spec import SampleSpec

METRIC = "tuning.loss"
MARK = "@tuned"


class Setting(Spec):
    learning_rate: float
    weight_decay: float


class Trial(NamedTuple):
    """One run of the grid."""

    arm: ArmPlan
    setting: Setting
    seed: int
    spec: RunSpec

    @property
    def label(self) -> str:
        return f"{self.arm.label}, rate {self.setting.learning_rate:g}, decay {self.setting.weight_decay:g}"


class Point(Spec):
    """A setting of the grid. losses: final losses on the tuning split in nats per token, of the seeds that finished."""

    setting: Setting
    losses: Items[float]
    diverged: int
    missing: int

    @property
    def mean(self) -> float | None:
        """None where a seed diverged or is missing: such a setting is never chosen."""
        return None if self.diverged or self.missing else statistics.fmean(self.losses)


class ArmTuning(Spec):
    """An arm over the grid. `chosen` None: no setting can be chosen, for `reason`."""

    arm: str
    points: Items[Point]
    chosen: Setting | None
    reason: str


def trials(plan: Plan) -> list[Trial]:
    """All runs of the grid, dearest first; empty for a study that does not tune."""
    grid = plan.tuning
    if grid is None:
        return []
    arms = sorted((arm for arm in plan.arms if not arm.origin), key=lambda arm: -arm.train_flops)
    return [
        Trial(arm, setting, seed, _trial_spec(plan, arm, setting, seed))
        for arm in arms
        for setting in _settings(plan, arm)
        for seed in grid.seeds
    ]


def count_runs(plan: Plan) -> int:
    """Of the grid, and of the arms at the shared rate: it does not change when the grid is done."""
    return len(trials(plan)) + sum(len(plan.seeds) for arm in plan.arms if not arm.origin)


def read_tuning(plan: Plan, out: Path) -> list[ArmTuning]:
    """What the runs of the grid came to, arm by arm, as far as they are done."""
    rows: dict[str, dict[Setting, list[Row]]] = {}
    for trial in trials(plan):
        row = run_row(trial.arm.name, trial.seed, OutPaths(out).run(trial.spec.run_id))
        rows.setdefault(trial.arm.name, {}).setdefault(trial.setting, []).append(row)
    return [
        choose(arm.name, [_point(*item) for item in rows[arm.name].items()]) for arm in plan.arms if arm.name in rows
    ]


def choose(arm: str, points: list[Point]) -> ArmTuning:
    """The setting with the lowest mean loss over the tuning seeds; of equals the smallest rate, then decay."""
    missing = sum(point.missing for point in points)
    sound = [(point.mean, point.setting) for point in points if point.mean is not None]
    chosen, reason = None, ""
    if missing:
        reason = f"{missing} runs of its grid have no result"
    elif not sound:
        reason = "it diverged at every setting of the grid"
    else:
        _, chosen = min(sound, key=lambda pair: (pair[0], pair[1].learning_rate, pair[1].weight_decay))
    return ArmTuning(arm=arm, points=tuple(points), chosen=chosen, reason=reason)


def at_edge(tuning: ArmTuning) -> str:
    """The sentence on a choice at the end of the grid; empty for any other."""
    rates = sorted({point.setting.learning_rate for point in tuning.points})
    if tuning.chosen is None or len(rates) == 1 or rates[0] < tuning.chosen.learning_rate < rates[-1]:
        return ""
    end = "smallest" if tuning.chosen.learning_rate == rates[0] else "largest"
    rate = f"{tuning.chosen.learning_rate:g}"
    return f"its best learning rate, {rate}, is the {end} of the grid; the true best may lie beyond"


def with_tuned(plan: Plan, out: Path) -> Plan:
    """The plan with each arm once more at its own best setting and each claim once more about those.

    Unchanged while runs of the grid are still to be made, and when it has them already. A claim about an arm without a
    choice is not asked.
    """
    found = {tuning.arm: tuning for tuning in read_tuning(plan, out)}
    unfinished = any(point.missing for tuning in found.values() for point in tuning.points)
    if not found or unfinished or any(arm.origin for arm in plan.arms):
        return plan
    chosen = {name: tuning.chosen for name, tuning in found.items()}
    tuned = {arm.name + MARK: _tuned_arm(arm, setting) for arm in plan.arms if (setting := chosen.get(arm.name))}
    contrasts, not_asked = [], []
    for contrast in tuned_contrasts(plan):
        pair = (contrast.claim.arm, contrast.against)
        if absent := [name.removesuffix(MARK) for name in pair if name not in tuned]:
            not_asked.append(f"{contrast.id}: {absent[0]} has no rate of its own, {found[absent[0]].reason}")
        else:
            moved = _differences(tuned[contrast.against].config, tuned[contrast.claim.arm].config)
            contrasts.append(contrast.model_copy(update={"differences": moved}))
    return plan.model_copy(
        update={
            "arms": (*plan.arms, *tuned.values()),
            "contrasts": (*plan.contrasts, *contrasts),
            "not_asked": (*plan.not_asked, *not_asked),
        }
    )


def tuned_contrasts(plan: Plan) -> list[Contrast]:
    """Every claim about arms at their own best settings: stated before it is known which those are."""
    if plan.tuning is None:
        return []
    asked = [contrast for contrast in plan.contrasts if not contrast.id.endswith(MARK)]
    return [
        Contrast(
            id=contrast.id + MARK,
            claim=contrast.claim.model_copy(
                update={
                    "arm": contrast.claim.arm + MARK,
                    "against": tuple(name + MARK for name in contrast.claim.against),
                }
            ),
            against=contrast.against + MARK,
            differences=(),
        )
        for contrast in asked
    ]


def _settings(plan: Plan, arm: ArmPlan) -> list[Setting]:
    assert plan.tuning is not None
    decays = plan.tuning.weight_decays or (arm.config.train.optimizer.weight_decay,)
    pairs = product(plan.tuning.learning_rates, decays)
    return [Setting(learning_rate=rate, weight_decay=decay) for rate, decay in pairs]


def _trial_spec(plan: Plan, arm: ArmPlan, setting: Setting, seed: int) -> RunSpec:
    """As the arm's own run, but measured on the tuning split, without problems and samples, and for all its steps:
    losses at unequal steps would favour the slow."""
    evaluate = arm.config.evaluate.model_copy(update={"split": "tuning", "problems": 0})
    config = with_optimizer(arm.config, **setting.model_dump())
    train = config.train.model_copy(update={"stop": None})
    config = config.model_copy(update={"train": train, "evaluate": evaluate, "sample": SampleSpec()})
    return plan.run_spec(arm.model_copy(update={"config": config}), seed)


def _tuned_arm(arm: ArmPlan, setting: Setting) -> ArmPlan:
    config = with_optimizer(arm.config, **setting.model_dump())
    kept = [change for change in arm.changes if not change.path.startswith("train.optimizer.")]
    moved = [row for row in _differences(arm.config, config) if row.left != row.right]
    return arm.model_copy(
        update={
            "name": arm.name + MARK,
            "label": f"{arm.label}, tuned",
            "config": config,
            "origin": arm.name,
            "changes": (*kept, *moved),
        }
    )


def _differences(left: BaseSpec, right: BaseSpec) -> tuple[DifferencePlan, ...]:
    return tuple(DifferencePlan(path=row.path, left=row.left, right=row.right) for row in differences(left, right))


def _point(setting: Setting, rows: list[Row]) -> Point:
    losses = [row.metrics[METRIC] for row in rows if row.status == "finished"]
    diverged = sum(row.status == "diverged" for row in rows)
    missing = len(rows) - len(losses) - diverged
    return Point(setting=setting, losses=tuple(losses), diverged=diverged, missing=missing)

"""The results of the grid of learning rates, and the plan with each arm at its own best setting."""

import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path

from stacklab.base.spec import Items, Spec
from stacklab.study.planning.contrast import differences
from stacklab.study.planning.plan import ArmPlan, Contrast, Plan
from stacklab.study.planning.rates import with_optimizer
from stacklab.study.planning.tuning import MARK, METRIC, Setting, setting_of, tuned_contrasts, tuning_plan
from stacklab.study.results.collect import Row, collect


class Point(Spec):
    """A setting of the grid. losses: final losses on the tuning split in nats per token, of finished seeds."""

    setting: Setting
    losses: Items[float]
    diverged: int
    missing: int

    @property
    def mean(self) -> float | None:
        """None if a seed diverged or is missing: such a setting is never chosen."""
        return None if self.diverged or self.missing else statistics.fmean(self.losses)


class ArmTuning(Spec):
    """An arm over the grid. chosen: None if no setting can be chosen, for `reason`."""

    arm: str
    points: Items[Point]
    chosen: Setting | None
    reason: str

    @property
    def unfinished(self) -> bool:
        return any(point.missing for point in self.points)


def read_tuning(plan: Plan, out: Path) -> list[ArmTuning]:
    """The runs of the grid, arm by arm, as far as they are done; empty for a study that does not tune."""
    grid = tuning_plan(plan)
    return tunings_of(grid, collect(grid, out))


def tunings_of(grid: Plan, tried: Iterable[Row]) -> list[ArmTuning]:
    """The arms of the grid with its rows."""
    rows: dict[str, list[Row]] = {}
    for row in tried:
        rows.setdefault(row.arm, []).append(row)
    points: dict[str, list[Point]] = {}
    for arm in grid.arms:
        points.setdefault(arm.origin, []).append(_point(setting_of(arm), rows[arm.name]))
    return [choose(name, settings) for name, settings in points.items()]


def choose(arm: str, points: list[Point]) -> ArmTuning:
    """The setting with the lowest mean loss over the tuning seeds; ties go to the smallest rate, then decay."""
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


def with_tuned(plan: Plan, out: Path) -> Plan:
    """The plan with each arm repeated at its own best setting, and each claim repeated for those arms.

    Unchanged while runs of the grid are missing. A claim about an arm without a chosen setting is left out.
    """
    return with_chosen(plan, read_tuning(plan, out))


def with_chosen(plan: Plan, results: Iterable[ArmTuning]) -> Plan:
    """`with_tuned` for a grid whose results have been read."""
    tunings = {tuning.arm: tuning for tuning in results}
    if not tunings or any(tuning.unfinished for tuning in tunings.values()):
        return plan
    chosen = {name: tuning.chosen for name, tuning in tunings.items()}
    tuned = {arm.name + MARK: _tuned_arm(arm, setting) for arm in plan.arms if (setting := chosen[arm.name])}
    contrasts, left_out = [], []
    for contrast in tuned_contrasts(plan):
        if reason := _without_choice(contrast, tunings):
            left_out.append(f"{contrast.id}: {reason}")
        else:
            moved = differences(tuned[contrast.against].config, tuned[contrast.claim.arm].config)
            contrasts.append(contrast.model_copy(update={"differences": tuple(moved)}))
    return plan.model_copy(
        update={
            "arms": (*plan.arms, *tuned.values()),
            "contrasts": (*plan.contrasts, *contrasts),
            "not_asked": (*plan.not_asked, *left_out),
        }
    )


def at_edge(tuning: ArmTuning) -> str:
    """The caution for a choice at the end of the grid; empty for any other."""
    rates = sorted({point.setting.learning_rate for point in tuning.points})
    if tuning.chosen is None or len(rates) == 1 or rates[0] < tuning.chosen.learning_rate < rates[-1]:
        return ""
    end = "smallest" if tuning.chosen.learning_rate == rates[0] else "largest"
    rate = f"{tuning.chosen.learning_rate:g}"
    return f"its best learning rate, {rate}, is the {end} of the grid; the true best may lie beyond"


def _without_choice(contrast: Contrast, tunings: Mapping[str, ArmTuning]) -> str:
    """Why a claim about tuned arms is left out; empty if both arms have a setting of their own."""
    for name in (contrast.claim.arm, contrast.against):
        tuning = tunings[name.removesuffix(MARK)]
        if tuning.chosen is None:
            return f"{tuning.arm} has no rate of its own, {tuning.reason}"
    return ""


def _tuned_arm(arm: ArmPlan, setting: Setting) -> ArmPlan:
    config = with_optimizer(arm.config, **setting.model_dump())
    kept = [change for change in arm.changes if not change.path.startswith("train.optimizer.")]
    return arm.model_copy(
        update={
            "name": arm.name + MARK,
            "label": f"{arm.label}, tuned",
            "config": config,
            "origin": arm.name,
            "changes": (*kept, *differences(arm.config, config)),
        }
    )


def _point(setting: Setting, rows: list[Row]) -> Point:
    losses = [row.metrics[METRIC] for row in rows if row.status == "finished" and METRIC in row.metrics]
    diverged = sum(row.status == "diverged" for row in rows)
    missing = len(rows) - len(losses) - diverged
    return Point(setting=setting, losses=tuple(losses), diverged=diverged, missing=missing)

"""The outcome of one arm of a grid on one metric, and the verdict on it."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from stacklab.base.spec import Items, Spec
from stacklab.study.planning.plan import ArmPlan
from stacklab.study.results.collect import Row
from stacklab.study.spec.grid import GridSpec
from stacklab.train.schedule import solved_at
from stacklab.train.spec import StopSpec

RISING = 0.02
"""A larger rise of the mean, from the third quarter of training to the last, means that training was too short."""
FALLING = 0.05
"""So does a larger relative fall of the loss: before a task is learned, only the loss shows progress."""
NEAR = 0.02
"""A mean at most this far above the baseline counts as at the baseline."""

FAILED = ("partial", "at baseline")
CellVerdict = Literal["solved", "partial", "at baseline", "not trained long enough", "one rate tried", "invalid"]


class SeedOutcome(Spec):
    """steps: the step from which all later evaluations reach the goal, None if the last does not; trained: all
    steps."""

    seed: int
    final: float
    steps: int | None
    trained: int


class LateProgress(NamedTuple):
    """From the third quarter of training to the last: the rise of the metric, and the relative fall of the loss."""

    rise: float
    fall: float


class Cell(Spec):
    arm: str
    at: dict[str, str]
    """Axis -> value."""
    baseline: float | None
    outcomes: Items[SeedOutcome]
    """One per finished seed."""
    planned: int
    """Number of seeds, with those that did not finish."""
    verdict: CellVerdict
    reason: str
    learning_rate: float
    others: Items["Cell"] = ()
    """The cell at each other learning rate that was tried."""

    @property
    def mean(self) -> float | None:
        return statistics.fmean(one.final for one in self.outcomes) if self.outcomes else None


def read_cell(
    arm: ArmPlan,
    at: dict[str, str],
    grid: GridSpec,
    metric: str,
    rows: Sequence[Row],
    histories: Mapping[int, Sequence[Mapping[str, Any]]],
) -> Cell:
    """The cell of one arm and metric. rows: results of the arm's runs; histories: their evaluations, by seed."""
    finished = [row for row in rows if row.status == "finished"]
    cell = Cell(
        arm=arm.name,
        at=at,
        baseline=arm.baselines.get(metric),
        outcomes=(),
        planned=len(rows),
        verdict="invalid",
        reason=f"its runs do not measure {metric}",
        learning_rate=arm.config.train.optimizer.learning_rate,
    )
    if any(metric not in row.metrics for row in finished):
        return cell
    outcomes = tuple(
        SeedOutcome(
            seed=row.seed,
            final=row.metrics[metric],
            steps=solved_at(StopSpec(metric=metric, at_least=grid.solved, evaluations=1), histories[row.seed]),
            trained=row.step,
        )
        for row in finished
    )
    cell = cell.model_copy(update={"outcomes": outcomes})
    verdict, reason = judge(cell, grid, rows, progress(metric, [histories[one.seed] for one in unsolved(cell, grid)]))
    return cell.model_copy(update={"verdict": verdict, "reason": reason})


def judge(cell: Cell, grid: GridSpec, rows: Sequence[Row], others: LateProgress | None) -> tuple[CellVerdict, str]:
    """A new verdict on the cell, and the sentence that explains it.

    others: mean progress of the seeds that do not solve; None if there are too few evaluations.
    """
    lost = [row for row in rows if row.status != "finished"]
    if 2 * len(lost) >= len(rows):
        return "invalid", f"seed {lost[0].seed}: {lost[0].status}"
    count, mean = count_solved(cell, grid), cell.mean
    assert mean is not None
    summary = f"{count} of {len(rows)} seeds reach {grid.solved:g}"
    if 2 * count > len(rows):
        return "solved", summary
    if others is None:
        return "not trained long enough", f"{summary}; too few evaluations to tell whether the others still learn"
    if others.rise > RISING:
        rise = f"the others' mean rose by {others.rise:.2g} in the last quarter of training"
        return "not trained long enough", f"{summary}; {rise}"
    if others.fall > FALLING:
        fall = f"the others' loss fell by {others.fall:.0%} in the last quarter of training"
        return "not trained long enough", f"{summary}; {fall}"
    if cell.baseline is not None and mean <= cell.baseline + NEAR:
        return "at baseline", f"{summary}; the mean {mean:.3f} is not above that of guessing ({cell.baseline:.3f})"
    return "partial", f"{summary}; the mean is {mean:.3f}"


def count_solved(cell: Cell, grid: GridSpec) -> int:
    return len(cell.outcomes) - len(unsolved(cell, grid))


def unsolved(cell: Cell, grid: GridSpec) -> list[SeedOutcome]:
    return [one for one in cell.outcomes if one.final < grid.solved]


def progress(metric: str, histories: Sequence[Sequence[Mapping[str, Any]]]) -> LateProgress | None:
    """Mean progress over seeds; None without a seed that was evaluated in both quarters."""
    loss = f"{metric.partition('.')[0]}.loss"
    changes = []
    for history in histories:
        last = history[-1]["step"]
        third, fourth = (
            [row for row in history if low * last < row["step"] <= (low + 0.25) * last] for low in (0.5, 0.75)
        )
        if third and fourth:
            before, after = (
                {name: statistics.fmean(row[name] for row in rows) for name in (metric, loss)}
                for rows in (third, fourth)
            )
            changes.append((after[metric] - before[metric], 1 - after[loss] / before[loss]))
    if not changes:
        return None
    rises, falls = zip(*changes, strict=True)
    return LateProgress(statistics.fmean(rises), statistics.fmean(falls))

"""Coverage of the bootstrap interval of the interquartile mean over tasks and seeds."""

from collections.abc import Callable

import numpy as np

from stacklab.base.streams import numpy_stream
from stacklab.stats.bootstrap import interquartile_mean
from stacklab.stats.calibration.accuracies import CHANCE
from stacklab.stats.calibration.noise import Floats
from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.result import Estimate

TASKS = (0.4, 0.6, 0.8)
"""Mean scores of normal noise; shares of seeds that solve where they do or do not."""
SPREAD = 0.1
SEEDS = (3, 5, 10)
MOST_REPEATS = 500
POPULATION = 200_000
"""Scores per task from which the true interquartile mean is taken."""


def _normal(rng: np.random.Generator, seeds: int) -> Floats:
    return np.array(TASKS)[:, None] + SPREAD * rng.standard_normal((len(TASKS), seeds))


def _solving(rng: np.random.Generator, seeds: int) -> Floats:
    solved = rng.random((len(TASKS), seeds)) < np.array(TASKS)[:, None]
    return np.where(solved, 1.0, CHANCE)


NOISES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": _normal,
    "seeds solve or do not": _solving,
}


def interquartile(repeats: int, seed: int) -> Table:
    """How often the interval holds the true value, at three tasks."""
    studies, rows = min(repeats, MOST_REPEATS), []
    for name, draw in NOISES.items():
        rng = numpy_stream(seed, "calibrate", "interquartile", name)
        true = _true(draw(rng, POPULATION))
        values = tuple(_coverage([draw(rng, count) for _ in range(studies)], true) for count in SEEDS)
        rows.append(Row(keys=(name,), values=values))
    return Table(
        name="interquartile",
        title=f"Coverage of the interquartile mean's 95 % interval, {len(TASKS)} tasks: {studies:,} studies a row",
        caption="it decides no verdict",
        repeats=studies,
        keys=("scores",),
        columns=tuple(Column(heading=f"{count} seeds", digits=2) for count in SEEDS),
        rows=tuple(rows),
    )


def _true(scores_KN: Floats) -> float:
    from scipy import stats

    return float(stats.trim_mean(scores_KN, 0.25, axis=None))


def _coverage(studies: list[Floats], true: float) -> float:
    held = 0
    for scores_KN in studies:
        estimate = interquartile_mean({str(task): row.tolist() for task, row in enumerate(scores_KN)}, level=LEVEL)
        held += isinstance(estimate, Estimate) and estimate.low <= true <= estimate.high
    return held / len(studies)

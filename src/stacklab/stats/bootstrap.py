"""Bootstrap intervals, reported beside the intervals that decide; and the interquartile mean over several tasks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stacklab.base.streams import numpy_stream
from stacklab.stats.check import not_finite, too_few
from stacklab.stats.result import Estimate, Result, Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 9_999
BATCH_CELLS = 1_000_000
"""Resampled numbers held in memory at once."""


def bca_bounds(
    samples: "tuple[Floats, ...]", *, level: float, rng: "np.random.Generator", resamples: int = RESAMPLES
) -> tuple["Floats", "Floats"]:
    """Ends of the bias-corrected accelerated interval (Efron 1987) for a mean, or for a difference of two means.

    samples: one or two, each [..., N], resampled independently along the last axis. level: the error level.
    """
    from scipy import stats

    interval = stats.bootstrap(
        samples,
        mean_or_gap,
        axis=-1,
        n_resamples=resamples,
        batch=max(1, BATCH_CELLS // sum(sample.size for sample in samples)),
        confidence_level=1 - level,
        method="BCa",
        rng=rng,
    ).confidence_interval
    return interval.low, interval.high


def mean_or_gap(*samples: "Floats", axis: int) -> "Floats":
    """The mean of one sample, or that of the first minus that of the second."""
    first, *second = (sample.mean(axis=axis) for sample in samples)
    gap: Floats = first - second[0] if second else first
    return gap


def interquartile_mean(scores: Mapping[str, Sequence[float]], *, level: float) -> Result:
    """Mean of the middle half of all scores (task -> score per seed), with a stratified bootstrap interval.

    Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice", section 4.3: seeds are
    resampled within each task, and the interval holds the middle 1 - level of the resampled means. Scores must share a
    scale across tasks. Undefined unless every task has as many seeds as the others, at least 2, and there are at least
    4 scores, below which nothing is trimmed. The resampling stream is fixed.
    """
    if reason := _problem(scores):
        return Undefined(reason=reason)
    import numpy as np
    from scipy import stats

    scores_KN = np.array(list(scores.values()), dtype=float)
    value = float(stats.trim_mean(scores_KN, 0.25, axis=None))
    low, high = np.quantile(_resampled(scores_KN), [level / 2, 1 - level / 2])
    return Estimate(
        value=value,
        low=float(low),
        high=float(high),
        level=1 - level,
        n=scores_KN.size,
        method="interquartile mean, stratified bootstrap",
    )


def _resampled(scores_KN: "Floats") -> "Floats":
    """The interquartile mean of RESAMPLES draws of N seeds within each of K tasks."""
    import numpy as np
    from scipy import stats

    rng = numpy_stream(0, "stratified bootstrap")
    seeds = scores_KN.shape[1]
    drawn = [task_N[rng.integers(0, seeds, size=(RESAMPLES, seeds))] for task_N in scores_KN]
    means: Floats = stats.trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
    return means


def _problem(scores: Mapping[str, Sequence[float]]) -> str:
    for task, values in scores.items():
        if reason := too_few(values, 2, what="seeds") or not_finite(values, what="score"):
            return f"task {task}: {reason}"
    counts = {task: len(values) for task, values in scores.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{task} {count}" for task, count in counts.items())
        return f"tasks have different numbers of seeds: {listed}"
    total = sum(counts.values())
    return f"needs 4 scores to trim a quarter at each end, has {total}" if total < 4 else ""

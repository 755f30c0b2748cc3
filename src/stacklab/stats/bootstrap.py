"""Bootstrap intervals. They are reported beside the intervals that decide."""

from typing import TYPE_CHECKING

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

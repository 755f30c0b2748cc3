"""Residuals of a loss curve around its trend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from stacklab.stats.result import Undefined

if TYPE_CHECKING:
    import numpy as np

# A cubic follows the flattening part of a curve; the steep first fifth would need a trend of its own.
START, DEGREE = 0.2, 3
OTHER_STARTS, OTHER_DEGREES = (0.15, 0.2, 0.25, 0.3), (2, 3, 4)
SPARE = 4


class Noise(NamedTuple):
    """spread: standard deviation around the trend, in nats, unbiased for the trend's degree + 1 coefficients.

    freedom: degrees of freedom of the spread. neighbours: correlation of each residual with the next.
    """

    steps: tuple[float, ...]
    residuals: "np.ndarray"
    spread: float
    freedom: int
    neighbours: float


def detrend(
    steps: Sequence[float], values: Sequence[float], *, start: float = START, degree: int = DEGREE
) -> Noise | Undefined:
    """Residuals around a least-squares polynomial in the step, over the steps past the share `start` of the last.

    Undefined when fewer than 4 points more than the trend has coefficients remain.
    """
    import numpy as np
    from numpy.polynomial import Polynomial

    kept = [index for index, step in enumerate(steps) if step >= start * steps[-1]]
    need = degree + 1 + SPARE
    if len(kept) < need:
        return Undefined(reason=f"needs {need} logged points past the first {start:.0%} of the steps, has {len(kept)}")
    x, y = np.array([steps[index] for index in kept], float), np.array([values[index] for index in kept], float)
    residuals = y - Polynomial.fit(x, y, degree)(x)
    freedom = len(kept) - degree - 1
    total = float(residuals @ residuals)
    neighbours = float(residuals[1:] @ residuals[:-1]) / total if total > 0 else 0.0
    return Noise(tuple(steps[index] for index in kept), residuals, (total / freedom) ** 0.5, freedom, neighbours)


def hidden(noise: Noise, half: float) -> bool:
    """Whether a log's noise is no more than the unit of its last printed digit, 2 x `half`: what is left around the
    trend is then mostly rounding, and equal in logs that round alike."""
    return half > 0 and noise.spread <= 2 * half


def spread_range(steps: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Smallest and largest spread over other starts and degrees of the trend."""
    tried = [detrend(steps, values, start=start, degree=degree) for start in OTHER_STARTS for degree in OTHER_DEGREES]
    spreads = [noise.spread for noise in tried if isinstance(noise, Noise)]
    return min(spreads), max(spreads)

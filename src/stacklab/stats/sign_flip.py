"""The exact test for paired differences: no assumption but that a difference is as likely to have either sign."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stacklab.base.streams import numpy_stream
from stacklab.stats.check import not_finite, too_few
from stacklab.stats.result import PValue, Tested, Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_EXACT = 20
DRAWS = 99_999
TOLERANCE = 1e-12
"""Sums that differ by less than this share of the sum of absolute differences are tied."""


def sign_flip(differences: Sequence[float]) -> Tested:
    """Two-sided p value of the mean difference under flips of the signs (Fisher 1935, section 21).

    Exact over all 2^n flips up to n = 20. Beyond, over 99,999 random flips and the observed one, from a fixed stream
    (Phipson and Smyth 2010: p is never 0); `method` says which. Undefined where every difference is 0.

    >>> sign_flip([1.0, 2.0, 3.0, 4.0, 5.0]).p
    0.0625
    """
    if reason := too_few(differences, 1) or not_finite(differences, what="difference"):
        return Undefined(reason=reason)
    import numpy as np

    values = np.asarray(differences, dtype=float)
    if not values.any():
        return Undefined(reason=f"all {len(values)} differences are 0: flipping signs changes nothing")
    reach = abs(values.sum()) - TOLERANCE * np.abs(values).sum()
    if len(values) <= MOST_EXACT:
        p = float(np.mean(np.abs(_all_sums(values)) >= reach))
        return PValue(p=p, n=len(values), method="sign flip, exact")
    drawn = np.abs(_random_sums(values)) >= reach
    return PValue(p=(int(drawn.sum()) + 1) / (DRAWS + 1), n=len(values), method=f"sign flip, Monte Carlo of {DRAWS}")


def _all_sums(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The sum under every flip that keeps the first sign; the others are their mirror images."""
    import numpy as np

    sums = values[:1]
    for value in values[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_sums(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np

    rng = numpy_stream(0, "sign flip", len(values))
    sums = np.zeros(DRAWS)
    for value in values:
        sums += value * rng.choice([-1.0, 1.0], size=DRAWS)
    return sums

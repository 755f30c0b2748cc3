"""An exponential approach to a limit, y = c + a exp(-x / b), fitted to points."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from stacklab.base.spec import Items, Spec
from stacklab.stats.check import ROUNDING, no_spread, not_finite
from stacklab.stats.fits.decay_scales import Parameter, scales
from stacklab.stats.result import Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARAMETERS = 3
MOST_EVALUATIONS = 2000


class CurvePoint(Spec):
    """The curve at x, with its standard error and confidence band."""

    x: float
    value: float
    error: float
    low: float
    high: float


class Decay(Spec):
    """limit + height * exp(-x / scale) through `n` points at `distinct` different x, with `degrees` of freedom left.

    spread: standard deviation of the points around the curve. note: what the fit cannot say, or empty.
    """

    kind: Literal["decay"] = "decay"
    limit: Parameter
    height: Parameter
    scale: Parameter
    n: int
    degrees: int
    distinct: int
    level: float
    spread: float
    curve: Items[CurvePoint]
    note: str

    def at(self, x: float) -> CurvePoint:
        """The curve at one of the x it was evaluated at. Raises StopIteration for any other x."""
        return next(point for point in self.curve if point.x == x)


DecayFit = Annotated[Decay | Undefined, Field(discriminator="kind")]


def fit_decay(x: Sequence[float], y: Sequence[float], *, at: Sequence[float], level: float = 0.05) -> Decay | Undefined:
    """Fit by least squares over all points (one per seed and x); evaluate the curve and its band at every x of `at`.

    Intervals of parameters are by profile likelihood (F test), those of the curve by the delta method with Student's t
    (lmfit: Newville et al. 2014). Undefined, with the reason, where no degree of freedom is left or no scale is best.
    """
    if reason := _problem(x, y):
        return Undefined(reason=reason)
    with _quiet():
        return _fit(x, y, at=at, level=level)


def _problem(x: Sequence[float], y: Sequence[float]) -> str:
    if len(x) != len(y):
        raise ValueError(f"{len(x)} x against {len(y)} y: a point has both")
    if reason := not_finite(x, what="x") or not_finite(y):
        return reason
    if len(x) <= PARAMETERS:
        points = "1 point" if len(x) == 1 else f"{len(x)} points"
        return f"{PARAMETERS} parameters through {points} have no degrees of freedom"
    if (distinct := len(set(x))) < PARAMETERS:
        return f"{PARAMETERS} parameters need {PARAMETERS} different x, there are {distinct}"
    return "all values are equal: there is no curve to fit" if no_spread(y) else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings: trial parameters overflow, and unbounded intervals are results here, not mistakes."""
    import numpy as np

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _curve(x: "NDArray[np.float64]", limit: float, height: float, scale: float) -> "NDArray[np.float64]":
    import numpy as np

    curve: NDArray[np.float64] = limit + height * np.exp(-x / scale)
    return curve


def _fit(x: Sequence[float], y: Sequence[float], *, at: Sequence[float], level: float) -> Decay | Undefined:
    import lmfit
    import numpy as np
    from scipy import stats

    candidates = scales(x, y)
    if candidates.unbounded:
        return Undefined(reason=candidates.unbounded)
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    result = lmfit.Model(_curve).fit(ys, x=xs, max_nfev=MOST_EVALUATIONS, **candidates.start())
    if not result.success:
        return Undefined(reason=f"the fit did not converge in {MOST_EVALUATIONS} evaluations")
    spread = math.sqrt(result.redchi)
    if spread <= ROUNDING * max(map(abs, y)):
        return Undefined(reason="the points lie on a curve: no spread to judge by")
    band = _band(result, at, level)
    if isinstance(band, Undefined):
        return band
    quantile, distinct = float(stats.t.ppf(1 - level / 2, result.nfree)), len(set(x))
    ends = candidates.intervals(result.chisqr * (1 + quantile**2 / result.nfree))
    parameters = {
        name: Parameter(value=result.best_values[name], low=low, high=high) for name, (low, high) in ends.items()
    }
    untested = f"{distinct} different x: the curve goes through their means, so its form is not tested"
    return Decay(
        limit=parameters["limit"],
        height=parameters["height"],
        scale=parameters["scale"],
        n=len(x),
        degrees=result.nfree,
        distinct=distinct,
        level=1 - level,
        spread=spread,
        curve=band,
        note=untested if distinct == PARAMETERS else "",
    )


def _band(result: Any, at: Sequence[float], level: float) -> tuple[CurvePoint, ...] | Undefined:
    """The curve of a lmfit result at every x of `at`."""
    import numpy as np
    from scipy import stats

    if not result.errorbars or not all(0 < parameter.stderr < math.inf for parameter in result.params.values()):
        return Undefined(reason="the parameters are not bounded: others fit as well")
    places = np.asarray(at, float)
    values, halves = result.eval(x=places), result.eval_uncertainty(x=places, sigma=1 - level)
    if not np.isfinite(values + halves).all():
        return Undefined(reason="the band is not bounded: the points hardly distinguish the parameters")
    quantile = float(stats.t.ppf(1 - level / 2, result.nfree))
    return tuple(
        CurvePoint(x=place, value=value, error=half / quantile, low=value - half, high=value + half)
        for place, value, half in zip(map(float, at), map(float, values), map(float, halves), strict=True)
    )

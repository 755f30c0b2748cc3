"""The profile of y = c + a exp(-x / b) over the scale b: with b fixed, c and a are a linear fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacklab.base.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CURVED, STRAIGHT = 1 / 7, 10.0
"""Range of scales: from this share of the first distance between two x, after which the curve has reached its limit
(e^-7 is a thousandth), to this multiple of the span of x, over which the curve is nearly a straight line."""
CANDIDATES = 2000


class Parameter(Spec):
    """A fitted value with its profile likelihood interval; an end that is None is unbounded."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Scales:
    """S scales in ascending order, and at each the residual sum of squares, the limit c, the height at the smallest x,
    and the variances of both for a unit variance of the points."""

    first: float
    scale_S: "NDArray[np.float64]"
    left_S: "NDArray[np.float64]"
    limit_S: "NDArray[np.float64]"
    height_S: "NDArray[np.float64]"
    limit_variance_S: "NDArray[np.float64]"
    height_variance_S: "NDArray[np.float64]"

    @property
    def best(self) -> int:
        return int(self.left_S.argmin())

    @property
    def unbounded(self) -> str:
        """Why no scale fits best; empty where one does."""
        if self.best == 0:
            return f"the scale is not bounded: no slower change fits better than a step from {self.first:g} on"
        if self.best == len(self.scale_S) - 1:
            return "the scale is not bounded: no curve fits better than a straight line"
        return ""

    def start(self) -> dict[str, float]:
        """Limit, height at x = 0, and scale of the best fit, to start the optimiser from."""
        at = self.best
        return {
            "limit": float(self.limit_S[at]),
            "height": float(self.height_S[at] * self._to_zero_S()[at]),
            "scale": float(self.scale_S[at]),
        }

    def intervals(self, most: float) -> dict[str, tuple[float | None, float | None]]:
        """The ranges of limit, height and scale whose residual sum of squares is at most `most`."""
        import numpy as np

        kept = self.left_S <= most
        room_S = np.sqrt(np.maximum(most - self.left_S, 0))
        heights = [self.height_S + sign * room_S * np.sqrt(self.height_variance_S) for sign in (-1, 1)]
        limits = [self.limit_S + sign * room_S * np.sqrt(self.limit_variance_S) for sign in (-1, 1)]
        step, straight = bool(kept[0]), bool(kept[-1])
        # Towards a step the height at x = 0 grows without bound; towards a line the limit diverges against it as well.
        rises = (step and self.first > 0 and heights[1][0] > 0) or (straight and heights[1][-1] > 0)
        falls = (step and self.first > 0 and heights[0][0] < 0) or (straight and heights[0][-1] < 0)
        sinks, climbs = straight and heights[1][-1] > 0, straight and heights[0][-1] < 0
        low, high = (height * self._to_zero_S() for height in heights)
        return {
            "limit": _ends(limits[0][kept].min(), limits[1][kept].max(), bool(sinks), bool(climbs)),
            "height": _ends(low[kept].min(), high[kept].max(), bool(falls), bool(rises)),
            "scale": _ends(self.scale_S[kept].min(), self.scale_S[kept].max(), step, straight),
        }

    def _to_zero_S(self) -> "NDArray[np.float64]":
        import numpy as np

        grown: NDArray[np.float64] = np.exp(self.first / self.scale_S)
        return grown


def scales(x: Sequence[float], y: Sequence[float]) -> Scales:
    """Fit at every scale. `x` must have at least three distinct values, `y` two."""
    import numpy as np

    first, second, *_, last = sorted(set(x))
    scale_S = np.geomspace(CURVED * (second - first), STRAIGHT * (last - first), CANDIDATES)
    x_N, y_N = np.asarray(x, float), np.asarray(y, float)
    fading_SN = np.exp(-(x_N - first) / scale_S[:, None])
    middle_S = fading_SN.mean(1)
    across_S = ((fading_SN - middle_S[:, None]) ** 2).sum(1)
    height_S = ((fading_SN - middle_S[:, None]) * (y_N - y_N.mean())).sum(1) / across_S
    limit_S = y_N.mean() - height_S * middle_S
    return Scales(
        first=float(first),
        scale_S=scale_S,
        left_S=((limit_S[:, None] + height_S[:, None] * fading_SN - y_N) ** 2).sum(1),
        limit_S=limit_S,
        height_S=height_S,
        limit_variance_S=1 / len(y_N) + middle_S**2 / across_S,
        height_variance_S=1 / across_S,
    )


def _ends(low: float, high: float, open_below: bool, open_above: bool) -> tuple[float | None, float | None]:
    return None if open_below else float(low), None if open_above else float(high)

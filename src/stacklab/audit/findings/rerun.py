"""What runs of a loop's code are likely to be when they are run again."""

import math
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from stacklab.audit.reading.results import Loop
from stacklab.base.streams import numpy_stream
from stacklab.stats.check import ROUNDING
from stacklab.stats.result import Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 20_000
EXACT = 10**6
"""Degrees of freedom of a stated noise."""


class Spread(NamedTuple):
    """Standard deviation of a rerun, with its degrees of freedom."""

    sigma: float
    freedom: int


def noise_of(loop: Loop, stated: float | None) -> Spread | Undefined:
    """The noise of a rerun: pooled over the tries with reruns, else as stated."""
    groups = [[one.value, *one.reruns] for one in loop.tries if one.value is not None and one.reruns]
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum((value - sum(group) / len(group)) ** 2 for group in groups for value in group)
    if squares > 0:
        return Spread(math.sqrt(squares / freedom), freedom)
    if stated is not None:
        return Spread(stated, EXACT)
    if freedom:
        return Undefined(
            reason="all reruns equal the first run, as they do with one seed, and no rerun_noise is stated"
        )
    return Undefined(reason="no commit was run again, and no rerun_noise is stated")


def largest_of(tries: int) -> float:
    """Expected maximum of `tries` standard normal values (Tippett 1925).

    >>> round(largest_of(2), 4), round(largest_of(100), 3)
    (0.5642, 2.508)
    """
    from scipy import integrate, stats

    density = lambda z: z * tries * stats.norm.pdf(z) * stats.norm.cdf(z) ** (tries - 1)  # noqa: E731
    return float(integrate.quad(density, -8, 8, limit=200)[0])


def chance_leads(tries: int, noise: Spread) -> "Floats":
    """Leads of the lowest of `tries` runs over the first if no change does anything, drawn from a fixed stream.

    They are in units of the spread as it was estimated, so that few reruns make them larger.
    """
    import numpy as np

    rng = numpy_stream(0, "loop", tries)
    first_D = rng.standard_normal(DRAWS)
    # The lowest of n - 1 standard normal values, by its distribution.
    from scipy import stats

    others = max(1, tries - 1)
    lowest_D = -stats.norm.ppf(rng.uniform(size=DRAWS) ** (1 / others))
    scale_D = 1.0 if noise.freedom == EXACT else np.sqrt(noise.freedom / rng.chisquare(noise.freedom, DRAWS))
    leads_D: Floats = np.maximum(0.0, first_D - lowest_D) * scale_D
    return leads_D


SPANS = 40
"""Kept runs that are further than this many spreads from the last one say nothing about it."""
STEPS = 4
"""Points of the grid per spread."""
SHARES = (0.0, 0.2, 0.5, 0.8)
HELPS, HARMS = (1.0, 4.0), (2.0, 20.0)
QUANTILES = (0.17, 0.5, 0.83)


class Prior(NamedTuple):
    """Effects of changes: none but for a `share`, of which half lower and half raise the mean, as half-normal values
    with these deviations."""

    share: float
    help: float
    harm: float


def expected_rerun(loop: Loop, noise: Spread) -> tuple[float, float]:
    """Mean and standard deviation of a rerun of the last kept code.

    Each kept code is a hidden mean, its predecessor's plus the effect of a change; discarded runs are further changes
    of it. The posterior is computed on a grid, averaged over priors of the effects by their evidence, and over the
    uncertainty of the noise. What was kept depends on printed values alone, so that no other correction is due.
    """
    import numpy as np

    weights, moments = [], []
    for sigma in _sigmas(noise):
        for prior in _priors():
            evidence, mean, variance = _posterior(loop, sigma, prior)
            weights.append(evidence)
            moments.append((mean, variance + sigma**2))
    share_M = np.exp(np.array(weights) - max(weights))
    share_M /= share_M.sum()
    mean_M, variance_M = np.array(moments).T
    middle = float(share_M @ mean_M)
    return middle, float(np.sqrt(share_M @ (variance_M + (mean_M - middle) ** 2)))


def _sigmas(noise: Spread) -> list[float]:
    if noise.freedom == EXACT:
        return [noise.sigma]
    from scipy import stats

    return [noise.sigma * math.sqrt(noise.freedom / stats.chi2.ppf(q, noise.freedom)) for q in QUANTILES]


def _priors() -> Iterator[Prior]:
    for share, helps, harms in product(SHARES, HELPS, HARMS):
        if share or (helps, harms) == (HELPS[0], HARMS[0]):
            yield Prior(share, helps, harms)


def _posterior(loop: Loop, sigma: float, prior: Prior) -> tuple[float, float, float]:
    """Log evidence, and mean and variance of the last kept code's mean."""
    import numpy as np

    states = _states(loop, sigma)
    own = [value for runs, _ in states for value in runs]
    if sigma <= ROUNDING * max(own):
        return 0.0, states[-1][0][0], 0.0
    grid_G = np.arange(min(own) - 6 * sigma, max(own) + 6 * sigma, sigma / STEPS)
    step_K: Floats = np.arange(-len(grid_G) + 1, len(grid_G)) * (sigma / STEPS)
    half = prior.share * sigma / STEPS
    kernel_K = np.where(
        step_K < 0,
        half * _normal(step_K, prior.help * sigma),
        np.where(step_K > 0, half * _normal(step_K, prior.harm * sigma), 1 - prior.share),
    )
    state_G, evidence = np.full(len(grid_G), 1 / len(grid_G)), 0.0
    for index, (runs, discarded) in enumerate(states):
        if index:
            state_G = np.convolve(state_G, kernel_K)[len(grid_G) - 1 : 2 * len(grid_G) - 1]
        for value in runs:
            state_G = state_G * _normal(value - grid_G, sigma)
        for value in discarded:
            state_G = state_G * _changed(value - grid_G, sigma, prior)
        total = max(float(state_G.sum()), 1e-300)
        state_G, evidence = state_G / total, evidence + math.log(total)
    mean = float(state_G @ grid_G)
    return evidence, mean, float(state_G @ (grid_G - mean) ** 2)


def _states(loop: Loop, sigma: float) -> list[tuple[list[float], list[float]]]:
    """Runs of each kept code and of the discarded changes of it; without those before a far larger value."""
    states: list[tuple[list[float], list[float]]] = []
    for one in loop.tries:
        if one.value is None:
            continue
        if one.kept:
            states.append(([one.value, *one.reruns], []))
        elif states:
            states[-1][1].append(one.value)
    last = states[-1][0][0]
    far = [index for index, (runs, _) in enumerate(states) if max(abs(value - last) for value in runs) > SPANS * sigma]
    return states[max(far, default=-1) + 1 :] or states[-1:]


def _changed(gap_G: "Floats", sigma: float, prior: Prior) -> "Floats":
    """Density of a discarded run at these distances from the code it changed: noise, plus an effect or none."""
    from scipy import special

    density_G: Floats = (1 - prior.share) * _normal(gap_G, sigma)
    if prior.share:
        for sign, deviation in ((-1, prior.help), (1, prior.harm)):
            wide = sigma * math.hypot(1, deviation)
            skew_G = special.ndtr(sign * gap_G * deviation / wide)
            density_G = density_G + prior.share * _normal(gap_G, wide) * skew_G
    return density_G


def _normal(gap_G: "Floats", scale: float) -> "Floats":
    """Density of a normal value at these distances from its mean."""
    import numpy as np

    density_G: Floats = np.exp(-0.5 * (gap_G / scale) ** 2) / (scale * math.sqrt(2 * math.pi))
    return density_G

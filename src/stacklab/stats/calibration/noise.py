"""Simulated noise between seeds, for losses.

Paired arms share a normal part (same batches, same seed) and add parts of their own. Runs have mean 0 and, unless one
arm has all the noise, variance 1 and correlation CORRELATION. Differences always have variance 1. Unpaired arms are
independent.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]

CORRELATION = 0.5
LOG_SPREAD = 0.5
"""Standard deviation of the logarithm of skewed noise: skewness 1.75."""
BAD_SHARE, BAD_SHIFT = 0.05, 5.0
"""One run in twenty is worse by five standard deviations of the others."""


class Noise(NamedTuple):
    """The distribution of each arm's own part of the noise."""

    arm: Draw
    against: Draw


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Standard normal."""
    return rng.standard_normal(shape)


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Shifted lognormal: a long tail of high losses."""
    mean = math.exp(LOG_SPREAD**2 / 2)
    spread = math.sqrt(math.exp(LOG_SPREAD**2) - 1)
    return (np.exp(LOG_SPREAD * rng.standard_normal(shape)) / mean - 1) / spread


def heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Student's t with 3 degrees of freedom."""
    return rng.standard_t(3, size=shape) / math.sqrt(3)


def bad_seed(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Normal, but for an occasional run that ends far higher."""
    drawn = rng.standard_normal(shape) + BAD_SHIFT * (rng.random(shape) < BAD_SHARE)
    return (drawn - BAD_SHIFT * BAD_SHARE) / math.sqrt(1 + BAD_SHIFT**2 * BAD_SHARE * (1 - BAD_SHARE))


def _all_skewed(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return math.sqrt(2) * skewed(rng, shape)


def _none(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.zeros(shape)


NOISES: dict[str, Noise] = {
    "normal": Noise(normal, normal),
    "skewed": Noise(skewed, skewed),
    "heavy tails": Noise(heavy, heavy),
    "bad seeds": Noise(bad_seed, bad_seed),
    "skewed in one arm": Noise(skewed, normal),
    "bad seeds in one arm": Noise(bad_seed, normal),
    "one arm has it all": Noise(_all_skewed, _none),
}
"""By name. In the first four both arms have the same noise; in the last one arm alone has noise, and it is skewed."""


def draw_pairs(noise: Noise, rng: np.random.Generator, repeats: int, seeds: int) -> tuple[Floats, Floats]:
    """(arm, against), each [repeats, seeds], paired by column."""
    shape = (repeats, seeds)
    shared = math.sqrt(CORRELATION) * normal(rng, shape)
    own = math.sqrt(1 - CORRELATION)
    return shared + own * noise.arm(rng, shape), shared + own * noise.against(rng, shape)


def draw_groups(noise: Noise, rng: np.random.Generator, repeats: int, seeds: int) -> tuple[Floats, Floats]:
    """(arm, against), each [repeats, seeds], independent of each other."""
    shape = (repeats, seeds)
    return noise.arm(rng, shape), noise.against(rng, shape)

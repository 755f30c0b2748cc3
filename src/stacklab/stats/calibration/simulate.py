"""The rule for verdicts on simulated studies with and without an effect: its error rates and its power.

Effects and margins are in standard deviations of a paired difference, and of a run where the arms are not paired.

The simulated noise between seeds: paired arms share a normal part (same batches, same seed) and add parts of their own.
Runs have mean 0 and, unless one arm has all the noise, variance 1 and correlation CORRELATION. Differences always have
variance 1. Unpaired arms are independent.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stacklab.base.spec import Items, Spec
from stacklab.base.streams import numpy_stream
from stacklab.stats.bootstrap import bca_bounds
from stacklab.stats.comparison import COMPARISONS, Comparison
from stacklab.stats.multiplicity import look_level
from stacklab.stats.paired import t_bounds
from stacklab.stats.verdict import Direction, Rule, verdicts

Floats = NDArray[np.float64]
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
"""By name. In the first four both arms have the same noise; the last is the worst case, skewed and in one arm only."""


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


LEVEL = 0.05
SEEDS = (3, 5, 8, 12, 20)
UNPAIRED_SEEDS = (3, 5, 10, 20)
PAIRED, UNPAIRED = COMPARISONS["paired"], COMPARISONS["unpaired"]
EFFECTS = (1.0, 2.0)
MARGIN = 2.0
BCA_REPEATS, BCA_RESAMPLES = 1_000, 999
CLOSE = 0.45
"""Share of the critical t from which a first look counts as close, for a user who adds seeds depending on the data."""


class Cell(Spec):
    """Rates for one noise and one number of seeds per arm.

    false_lower, false_higher: "supported" without an effect, for a claim of each direction. covered, covered_bca: the
    share of deciding and of bootstrap intervals that hold the true difference. power: "supported" at each of
    EFFECTS. false_equivalent: "equivalent" at a difference of +margin and of -margin, the higher of the two.
    power_equivalent: "equivalent" without an effect.
    """

    noise: str
    seeds: int
    false_lower: float
    false_higher: float
    covered: float
    covered_bca: float
    power: Items[float]
    false_equivalent: float
    power_equivalent: float


class Looks(Spec):
    """Rates for repeated looks at growing numbers of seeds, at one noise, stopping at the first clear verdict.

    false: a clear verdict without an effect, either way, under the sequential rule. false_naive: the same when each
    look is judged at the full level. false_chosen: two looks under the rule, where the result of the first decides the
    size of the second. power: "supported" at the first of EFFECTS under the rule.
    """

    noise: str
    false: float
    false_naive: float
    false_chosen: float
    power: float


class Calibration(Spec):
    """What `stacklab calibrate` measured, with its settings."""

    repeats: int
    bca_repeats: int
    seed: int
    level: float
    effects: Items[float]
    margin: float
    look_sizes: Items[int]
    cells: Items[Cell]
    """Paired by seed."""
    unpaired: Items[Cell]
    looks: Items[Looks]


def calibrate(*, repeats: int, seed: int) -> Calibration:
    """Every noise at every number of seeds, `repeats` simulated studies each; the streams follow from `seed`."""
    cells, unpaired, looks = [], [], []
    for noise, draws in NOISES.items():
        pairs = draw_pairs(draws, numpy_stream(seed, "calibrate", noise), repeats, max(SEEDS))
        groups = draw_groups(draws, numpy_stream(seed, "calibrate", "unpaired", noise), repeats, max(UNPAIRED_SEEDS))
        cells += [_cell(noise, PAIRED, pairs, count, seed) for count in SEEDS]
        unpaired += [_cell(noise, UNPAIRED, groups, count, seed) for count in UNPAIRED_SEEDS]
        looks.append(_looks(noise, *pairs))
    return Calibration(
        repeats=repeats,
        bca_repeats=min(repeats, BCA_REPEATS),
        seed=seed,
        level=LEVEL,
        effects=EFFECTS,
        margin=MARGIN,
        look_sizes=SEEDS,
        cells=tuple(cells),
        unpaired=tuple(unpaired),
        looks=tuple(looks),
    )


def above(rate: float, bound: float, repeats: int) -> bool:
    """Whether a simulated rate exceeds `bound` by more than three standard errors."""
    return rate > bound + 3 * float(np.sqrt(bound * (1 - bound) / repeats))


def _rate(by: Comparison, arm_RN: Floats, against_RN: Floats, direction: Direction, wanted: str) -> float:
    margin = MARGIN if direction == "equivalent" else None
    verdict_R = verdicts(arm_RN, against_RN, by=by, rule=Rule(direction, margin, LEVEL))
    return float(np.mean(verdict_R == wanted))


def _cell(noise: str, by: Comparison, drawn: tuple[Floats, Floats], seeds: int, seed: int) -> Cell:
    arm, against = (runs_RN[:, :seeds] for runs_RN in drawn)
    low_R, high_R = by.bounds(arm, against, LEVEL)
    few = by.samples(arm[:BCA_REPEATS], against[:BCA_REPEATS])
    rng = numpy_stream(seed, "calibrate", "bootstrap")
    bca_low_R, bca_high_R = bca_bounds(few, level=LEVEL, rng=rng, resamples=BCA_RESAMPLES)
    return Cell(
        noise=noise,
        seeds=seeds,
        false_lower=_rate(by, arm, against, "lower", "supported"),
        false_higher=_rate(by, arm, against, "higher", "supported"),
        covered=float(np.mean((low_R <= 0) & (high_R >= 0))),
        covered_bca=float(np.mean((bca_low_R <= 0) & (bca_high_R >= 0))),
        power=tuple(_rate(by, arm - effect, against, "lower", "supported") for effect in EFFECTS),
        false_equivalent=max(_rate(by, arm + edge, against, "equivalent", "equivalent") for edge in (MARGIN, -MARGIN)),
        power_equivalent=_rate(by, arm, against, "equivalent", "equivalent"),
    )


def _looks(noise: str, arm_RN: Floats, against_RN: Floats) -> Looks:
    shares = [look_level(LEVEL, look, len(SEEDS)) for look in range(1, len(SEEDS) + 1)]
    null_R = _first_clear(arm_RN, against_RN, shares)
    naive_R = _first_clear(arm_RN, against_RN, [LEVEL] * len(SEEDS))
    return Looks(
        noise=noise,
        false=float(np.mean(null_R != "inconclusive")),
        false_naive=float(np.mean(naive_R != "inconclusive")),
        false_chosen=_chosen(arm_RN - against_RN),
        power=float(np.mean(_first_clear(arm_RN - EFFECTS[0], against_RN, shares) == "supported")),
    )


def _first_clear(arm_RN: Floats, against_RN: Floats, levels: list[float]) -> NDArray[np.str_]:
    """The verdict at which each row stops that looks at each of SEEDS until one is clear."""
    verdict_R = np.full(len(arm_RN), "inconclusive")
    for count, level in zip(SEEDS, levels, strict=True):
        seen = arm_RN[:, :count], against_RN[:, :count]
        now_R = verdicts(*seen, by=PAIRED, rule=Rule("lower", level=level))
        verdict_R = np.where(verdict_R == "inconclusive", now_R, verdict_R)
    return verdict_R


def _chosen(gaps_RN: Floats) -> float:
    """Clear verdicts at two looks when a close first one is followed by one seed more and a distant one by many."""
    from scipy import stats

    level, first = look_level(LEVEL, 1, 2), min(SEEDS)
    early_RN = gaps_RN[:, :first]
    low_R, high_R = t_bounds(early_RN, level)
    t_R = early_RN.mean(axis=1) / early_RN.std(axis=1, ddof=1) * np.sqrt(first)
    critical = stats.t.ppf(1 - level / 2, first - 1)
    clear_R = (low_R > 0) | (high_R < 0)
    for count, turn_R in ((first + 1, np.abs(t_R) > CLOSE * critical), (max(SEEDS), np.abs(t_R) <= CLOSE * critical)):
        low_R, high_R = t_bounds(gaps_RN[:, :count], level)
        clear_R |= turn_R & ((low_R > 0) | (high_R < 0))
    return float(np.mean(clear_R))

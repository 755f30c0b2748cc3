"""The verdict machine on planted effects and planted nulls: how often it errs, and how often it finds what is there.

All effects and margins are in standard deviations of a paired difference.
"""

import numpy as np
from numpy.typing import NDArray

from stacklab.base.spec import Items, Spec
from stacklab.base.streams import numpy_stream
from stacklab.stats.noise import NOISES, draw_pairs
from stacklab.stats.paired import t_bounds
from stacklab.stats.sequential import look_level
from stacklab.stats.verdict import Direction, verdicts

Floats = NDArray[np.float64]

LEVEL = 0.05
SEEDS = (3, 5, 8, 12, 20)
EFFECTS = (1.0, 2.0)
MARGIN = 2.0
BCA_REPEATS, BCA_RESAMPLES = 1_000, 999
CLOSE = 0.45
"""Share of the critical t from which on a first look counts as close, for a user who adds seeds as the data bid."""


class Cell(Spec):
    """Rates for one noise and one number of seeds.

    false_lower, false_higher: "supported" without an effect, for a claim of each direction. covered_*: intervals that
    hold the planted difference. power: "supported" at each of EFFECTS. false_equivalent: "equivalent" at a difference
    of +margin and of -margin, the higher of the two. power_equivalent: "equivalent" without an effect.
    """

    noise: str
    seeds: int
    false_lower: float
    false_higher: float
    covered_t: float
    covered_bca: float
    power: Items[float]
    false_equivalent: float
    power_equivalent: float


class Looks(Spec):
    """Rates for repeated looks at growing numbers of seeds, at one noise, stopping at the first clear verdict.

    false: a clear verdict without an effect, either way, under the sequential rule. false_naive: the same when each
    look is judged at the full level. false_chosen: two looks under the rule, the second placed as the first bids.
    power: "supported" at the first of EFFECTS under the rule.
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
    looks: Items[Looks]


def calibrate(*, repeats: int, seed: int) -> Calibration:
    """Every noise at every number of seeds, `repeats` simulated studies each; the streams follow from `seed`."""
    cells, looks = [], []
    for noise in NOISES:
        gaps_RN = _gaps(noise, repeats, seed)
        cells += [_cell(noise, gaps_RN[:, :count], seed) for count in SEEDS]
        looks.append(_looks(noise, gaps_RN))
    return Calibration(
        repeats=repeats,
        bca_repeats=min(repeats, BCA_REPEATS),
        seed=seed,
        level=LEVEL,
        effects=EFFECTS,
        margin=MARGIN,
        look_sizes=SEEDS,
        cells=tuple(cells),
        looks=tuple(looks),
    )


def above(rate: float, bound: float, repeats: int) -> bool:
    """Whether a simulated rate exceeds `bound` by more than three standard errors."""
    return rate > bound + 3 * float(np.sqrt(bound * (1 - bound) / repeats))


def _gaps(noise: str, repeats: int, seed: int) -> Floats:
    arm_RN, against_RN = draw_pairs(NOISES[noise], numpy_stream(seed, "calibrate", noise), repeats, max(SEEDS))
    return arm_RN - against_RN


def _rate(gaps_RN: Floats, direction: Direction, wanted: str) -> float:
    margin = MARGIN if direction == "equivalent" else None
    return float(np.mean(verdicts(gaps_RN, direction=direction, margin=margin, level=LEVEL) == wanted))


def _cell(noise: str, gaps_RN: Floats, seed: int) -> Cell:
    low_R, high_R = t_bounds(gaps_RN, LEVEL)
    return Cell(
        noise=noise,
        seeds=gaps_RN.shape[1],
        false_lower=_rate(gaps_RN, "lower", "supported"),
        false_higher=_rate(gaps_RN, "higher", "supported"),
        covered_t=float(np.mean((low_R <= 0) & (high_R >= 0))),
        covered_bca=_bca_coverage(gaps_RN[:BCA_REPEATS], seed),
        power=tuple(_rate(gaps_RN - effect, "lower", "supported") for effect in EFFECTS),
        false_equivalent=max(_rate(gaps_RN + edge, "equivalent", "equivalent") for edge in (MARGIN, -MARGIN)),
        power_equivalent=_rate(gaps_RN, "equivalent", "equivalent"),
    )


def _bca_coverage(gaps_RN: Floats, seed: int) -> float:
    """As stacklab.stats.paired.paired_bootstrap, with fewer resamples, all rows at once."""
    from scipy import stats

    found = stats.bootstrap(
        (gaps_RN,),
        lambda x, axis: x.mean(axis=axis),
        axis=-1,
        n_resamples=BCA_RESAMPLES,
        batch=100,
        confidence_level=1 - LEVEL,
        method="BCa",
        rng=numpy_stream(seed, "calibrate", "bootstrap"),
    ).confidence_interval
    return float(np.mean((found.low <= 0) & (found.high >= 0)))


def _looks(noise: str, gaps_RN: Floats) -> Looks:
    shares = [look_level(LEVEL, look, len(SEEDS)) for look in range(1, len(SEEDS) + 1)]
    null_R = _first_clear(gaps_RN, shares)
    return Looks(
        noise=noise,
        false=float(np.mean(null_R != "inconclusive")),
        false_naive=float(np.mean(_first_clear(gaps_RN, [LEVEL] * len(SEEDS)) != "inconclusive")),
        false_chosen=_chosen(gaps_RN),
        power=float(np.mean(_first_clear(gaps_RN - EFFECTS[0], shares) == "supported")),
    )


def _first_clear(gaps_RN: Floats, levels: list[float]) -> NDArray[np.str_]:
    """The verdict at which each row stops that looks at each of SEEDS until one is clear."""
    found_R = np.full(len(gaps_RN), "inconclusive")
    for count, level in zip(SEEDS, levels, strict=True):
        now_R = verdicts(gaps_RN[:, :count], direction="lower", margin=None, level=level)
        found_R = np.where(found_R == "inconclusive", now_R, found_R)
    return found_R


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

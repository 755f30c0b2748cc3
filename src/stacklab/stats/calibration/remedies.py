"""Known remedies for skewed noise in one arm: the error that each leaves, and the power that it costs.

Each rule is applied to paired differences; it adds a condition to the two-sided t test, or replaces it.
"""

from collections.abc import Callable

import numpy as np

from stacklab.base.streams import numpy_stream
from stacklab.stats.bootstrap import bca_bounds
from stacklab.stats.calibration.noise import NOISES, Bools, Floats, draw_pairs
from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.power import difference_power, paired_design
from stacklab.stats.verdict import difference_p_values

SEEDS = (3, 5, 8, 12, 20)
POWER = 0.8
"""Of the t test under normal noise, at the effect for which the power of the others is compared."""
SMALLER = {3: 0.033, 5: 0.025, 8: 0.026, 12: 0.029, 20: 0.034}
"""Levels of the t test, by seeds, at which it errs in 0.05 where one arm has all of the noise."""
MOST_RESAMPLED = 12
"""Seeds up to which rules that resample, or try all changes of sign, are simulated."""
RESAMPLES = 499
SLOW_REPEATS = 2_000
"""Studies for each rule that resamples."""

Shown = Callable[[Floats], Bools]
"""Differences, [repeats, seeds] -> whether the rule shows one, in the direction of the mean."""


def t_test(gaps_RN: Floats) -> Floats:
    """Two-sided p values by the rule."""
    return difference_p_values(gaps_RN, np.zeros_like(gaps_RN), by=COMPARISONS["paired"], bounded=False)


def statistics(gaps_RN: Floats) -> tuple[Floats, Floats, Floats]:
    """Of each row: t with the unbiased variance, the standardised mean and the skewness with the biased one."""
    mean_R, spread_R = gaps_RN.mean(axis=1), gaps_RN.std(axis=1)
    t_R = mean_R / gaps_RN.std(axis=1, ddof=1) * np.sqrt(gaps_RN.shape[1])
    skew_R = ((gaps_RN - mean_R[:, None]) ** 3).mean(axis=1) / spread_R**3
    return t_R, mean_R / spread_R, skew_R


def johnson(gaps_RN: Floats) -> Floats:
    """p values of Johnson's t for skewed data (Johnson 1978)."""
    count, (t_R, standard_R, skew_R) = gaps_RN.shape[1], statistics(gaps_RN)
    root = np.sqrt(count - 1)
    return _two_sided(t_R + root * skew_R * (1 / (6 * count) + standard_R**2 / 3), count)


def hall(gaps_RN: Floats) -> Floats:
    """p values of Hall's monotone transformation, which removes skewness (Hall 1992), with Student's quantiles."""
    count, (_, standard_R, skew_R) = gaps_RN.shape[1], statistics(gaps_RN)
    moved_R = standard_R + skew_R * standard_R**2 / 3 + skew_R**2 * standard_R**3 / 27 + skew_R / (6 * count)
    return _two_sided(np.sqrt(count - 1) * moved_R, count)


def _two_sided(t_R: Floats, count: int) -> Floats:
    from scipy import stats

    p_R: Floats = 2 * stats.t.sf(np.abs(t_R), count - 1)
    return p_R


def sign_flips(gaps_RN: Floats) -> Floats:
    """Exact p values over all changes of sign, as `stats.paired.sign_flip` has them for one row."""
    count = gaps_RN.shape[1]
    signs_FN = 1.0 - 2.0 * ((np.arange(2 ** (count - 1))[:, None] >> np.arange(count)) & 1)
    p = [np.mean(np.abs(signs_FN @ row_N) >= np.abs(row_N.sum()) - 1e-9, axis=0) for row_N in gaps_RN]
    return np.array(p, dtype=float)


def bca(gaps_RN: Floats) -> Bools:
    """Whether the bootstrap interval excludes 0."""
    rng = numpy_stream(0, "calibrate", "remedies", "bca")
    low_R, high_R = bca_bounds((gaps_RN,), level=LEVEL, rng=rng, resamples=RESAMPLES)
    shown_R: Bools = (low_R > 0) | (high_R < 0)
    return shown_R


def bootstrap_t(gaps_RN: Floats) -> Bools:
    """Whether the studentised bootstrap interval (Efron 1979) excludes 0; resamples of one value have infinite t."""
    rng = numpy_stream(0, "calibrate", "remedies", "bootstrap t")
    count = gaps_RN.shape[1]
    picked_BN = rng.integers(0, count, size=(RESAMPLES, count))
    drawn_RBN = gaps_RN[:, picked_BN]
    middle_R, root = gaps_RN.mean(axis=1), np.sqrt(count)
    off_RB, spread_RB = drawn_RBN.mean(axis=2) - middle_R[:, None], drawn_RBN.std(axis=2, ddof=1)
    flat_RB = spread_RB <= 1e-12
    t_RB = np.where(flat_RB, np.copysign(np.inf, off_RB), off_RB / np.where(flat_RB, 1.0, spread_RB)) * root
    low_R, high_R = np.quantile(t_RB, [LEVEL / 2, 1 - LEVEL / 2], axis=1, method="inverted_cdf")
    t_R = middle_R / gaps_RN.std(axis=1, ddof=1) * root
    shown_R: Bools = (t_R < low_R) | (t_R > high_R)
    return shown_R


def with_mirror(gaps_RN: Floats) -> Floats:
    """p values with one more seed: the most extreme difference, mirrored at 0, as for accuracies the worst seed."""
    far_R = gaps_RN[np.arange(len(gaps_RN)), np.abs(gaps_RN).argmax(axis=1)]
    opposed_R = -np.copysign(np.abs(far_R), gaps_RN.mean(axis=1))
    return np.maximum(t_test(gaps_RN), t_test(np.column_stack([gaps_RN, opposed_R])))


def smaller_level(gaps_RN: Floats) -> Bools:
    """Whether the t test shows a difference at the level of SMALLER."""
    shown_R: Bools = t_test(gaps_RN) <= SMALLER[gaps_RN.shape[1]]
    return shown_R


FLIPPED = "sign flip as well"
QUICK: dict[str, Shown] = {
    "t (the rule)": lambda gaps: t_test(gaps) <= LEVEL,
    "t at a smaller level": smaller_level,
    "half the level": lambda gaps: t_test(gaps) <= LEVEL / 2,
    FLIPPED: lambda gaps: (t_test(gaps) <= LEVEL) & (sign_flips(gaps) <= LEVEL),
    "Johnson's t": lambda gaps: johnson(gaps) <= LEVEL,
    "Johnson's t as well": lambda gaps: (t_test(gaps) <= LEVEL) & (johnson(gaps) <= LEVEL),
    "Hall's transformation": lambda gaps: hall(gaps) <= LEVEL,
    "Hall's as well": lambda gaps: (t_test(gaps) <= LEVEL) & (hall(gaps) <= LEVEL),
    "one mirrored seed more": lambda gaps: with_mirror(gaps) <= LEVEL,
}
SLOW: dict[str, Shown] = {
    "BCa as well": lambda gaps: (t_test(gaps) <= LEVEL) & bca(gaps),
    "bootstrap-t": bootstrap_t,
    "bootstrap-t as well": lambda gaps: (t_test(gaps) <= LEVEL) & bootstrap_t(gaps),
}


def effect_of(power: float, seeds: int) -> float:
    """The effect, in standard deviations of the difference, for which the t test has this power."""
    from scipy import optimize

    design = paired_design(seeds)
    found: float = optimize.brentq(lambda effect: difference_power(effect, design, level=LEVEL) - power, 0.1, 6.0)
    return found


def remedies(repeats: int, seed: int) -> Table:
    """The error of each rule where one arm has all of a skewed noise, and its power under normal noise."""
    rows = []
    for name, shown in (QUICK | SLOW).items():
        studies = min(repeats, SLOW_REPEATS) if name in SLOW else repeats
        is_long = name in SLOW or name == FLIPPED
        counts = [count for count in SEEDS if count <= MOST_RESAMPLED or not is_long]
        rows += [Row(keys=(name, str(count)), values=_values(shown, studies, count, seed)) for count in counts]
    return Table(
        name="remedies",
        title=f"Remedies for skewed noise in one arm: {repeats:,} studies a row ({min(repeats, SLOW_REPEATS):,} where "
        "it resamples)",
        caption="false lower, false higher: supported without an effect, where one arm has all of the noise; heavy "
        f"tails: false lower with these in both arms; power: share of that of the t test, where this is {POWER:g}, "
        "under normal noise; power, one arm: for the same effect where one arm has all of the noise",
        repeats=min(repeats, SLOW_REPEATS),
        keys=("rule", "seeds"),
        columns=(
            Column(heading="false lower", most=LEVEL),
            Column(heading="false higher", most=LEVEL),
            Column(heading="heavy tails", most=LEVEL),
            Column(heading="power", digits=2),
            Column(heading="power, one arm", digits=2),
        ),
        rows=tuple(rows),
    )


def _values(shown: Shown, repeats: int, seeds: int, seed: int) -> tuple[float, ...]:
    def gaps(noise: str) -> Floats:
        rng = numpy_stream(seed, "calibrate", "remedies", noise, seeds)
        arm, against = draw_pairs(NOISES[noise], rng, repeats, seeds)
        return arm - against

    def lower(drawn: Floats, effect: float = 0.0) -> float:
        return float(np.mean(shown(drawn - effect) & (drawn.mean(axis=1) < effect)))

    lopsided, even, effect = gaps("one arm has it all"), gaps("normal"), effect_of(POWER, seeds)
    reference = float(np.mean((t_test(even - effect) <= LEVEL) & (even.mean(axis=1) < effect)))
    return (
        lower(lopsided),
        lower(-lopsided),
        lower(gaps("heavy tails")),
        lower(even, effect) / reference,
        lower(lopsided, effect),
    )

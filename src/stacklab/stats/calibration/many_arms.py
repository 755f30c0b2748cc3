"""Many arms against one control: Holm over the claims, or Dunnett's test, which takes the arms together.

Runs are normal with standard deviation 1 unless an arm scatters more; paired runs share the part of their seed.
"""

from functools import cache

import numpy as np

from stacklab.base.streams import numpy_stream
from stacklab.stats.calibration.families import holm
from stacklab.stats.calibration.noise import CORRELATION, Bools, Floats
from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.verdict import difference_p_values

ARMS = (2, 4, 6)
SEEDS = (3, 5, 8)
EFFECT = 2.0
"""Of one arm, in standard deviations of a run."""
WIDE = 3.0
"""Standard deviations of an arm that scatters more than the others, as a shallow stack does than a deep one."""
NODES = 120


@cache
def critical_value(arms: int, runs: int) -> float:
    """Dunnett's two-sided critical value at LEVEL for `arms` arms and a control of `runs` runs each (Dunnett 1955).

    By Gauss quadrature over the control's mean and the pooled standard deviation.
    """
    from numpy.polynomial.hermite_e import hermegauss
    from scipy import optimize, special, stats

    degrees = (arms + 1) * (runs - 1)
    mean_M, weight_M = hermegauss(NODES)
    weight_M = weight_M / weight_M.sum()
    spread_S = np.sqrt(stats.chi2.ppf((np.arange(NODES * 4) + 0.5) / (NODES * 4), degrees) / degrees)

    def exceeded(critical: float) -> float:
        half_S = np.sqrt(2) * critical * spread_S[:, None]
        within_SM = (special.ndtr(mean_M + half_S) - special.ndtr(mean_M - half_S)) ** arms
        return 1 - float((within_SM * weight_M).sum(axis=1).mean())

    found: float = optimize.brentq(lambda critical: exceeded(critical) - LEVEL, 1.0, 20.0)
    return found


def dunnett_shown(runs_RAN: Floats) -> Bools:
    """Whether Dunnett's test shows a difference, [repeats, arms]; the last arm is the control."""
    count = runs_RAN.shape[2]
    pooled_R = np.sqrt(runs_RAN.var(axis=2, ddof=1).mean(axis=1))
    gaps_RA = runs_RAN[:, :-1].mean(axis=2) - runs_RAN[:, -1:].mean(axis=2)
    t_RA = gaps_RA / (pooled_R[:, None] * np.sqrt(2 / count))
    shown_RA: Bools = np.abs(t_RA) > critical_value(runs_RAN.shape[1] - 1, count)
    return shown_RA


def holm_shown(runs_RAN: Floats, pairing: Pairing) -> Bools:
    """Whether the rule shows a difference, [repeats, arms]; the last arm is the control."""
    by, arms = COMPARISONS[pairing], runs_RAN.shape[1] - 1
    p = [difference_p_values(runs_RAN[:, arm], runs_RAN[:, -1], by=by, bounded=False) for arm in range(arms)]
    shown_RA: Bools = holm(np.column_stack(p)) <= LEVEL
    return shown_RA


def draw(pairing: Pairing, arms: int, rng: np.random.Generator, repeats: int, seeds: int) -> Floats:
    """Runs without an effect, [repeats, arms + 1, seeds]."""
    own = rng.standard_normal((repeats, arms + 1, seeds))
    if pairing == "unpaired":
        return own
    shared = rng.standard_normal((repeats, 1, seeds))
    return float(np.sqrt(CORRELATION)) * shared + float(np.sqrt(1 - CORRELATION)) * own


def many_arms(repeats: int, seed: int) -> Table:
    """Power and false verdicts of both, with equal arms and with one that scatters more."""
    rows = []
    for pairing in COMPARISONS:
        for arms in ARMS:
            for seeds in SEEDS:
                rng = numpy_stream(seed, "calibrate", "many arms", pairing, arms, seeds)
                runs = draw(pairing, arms, rng, repeats, seeds)
                rows.append(Row(keys=(pairing, str(arms), str(seeds)), values=_values(runs, pairing)))
    return Table(
        name="many arms",
        title=f"Many arms against one control: {repeats:,} studies a row",
        caption=f"power: for one arm that differs by {EFFECT:g} sd of a run; false: any clear verdict where no arm "
        f"differs; wide: one arm has {WIDE:g} times the standard deviation of the others",
        repeats=repeats,
        keys=("runs", "arms", "seeds"),
        columns=(
            Column(heading="power Holm", digits=2),
            Column(heading="power Dunnett", digits=2),
            Column(heading="false Holm", most=LEVEL),
            Column(heading="false Dunnett", most=LEVEL),
            Column(heading="wide, false Holm", most=LEVEL),
            Column(heading="wide, false Dunnett", most=LEVEL),
        ),
        rows=tuple(rows),
    )


def _values(runs_RAN: Floats, pairing: Pairing) -> tuple[float, ...]:
    moved, wide = runs_RAN.copy(), runs_RAN.copy()
    moved[:, 0] -= EFFECT
    wide[:, 0] *= WIDE
    power = [float(np.mean(shown[:, 0])) for shown in (holm_shown(moved, pairing), dunnett_shown(moved))]
    false = [
        float(np.mean(np.any(shown, axis=1)))
        for runs in (runs_RAN, wide)
        for shown in (holm_shown(runs, pairing), dunnett_shown(runs))
    ]
    return (*power, *false)

"""Studies with many claims: how often one errs, with and without Holm's correction, and what the correction costs.

Claims are paired with normal noise, of standard deviation 1 but in mixtures. Correlated claims share a normal part at
each seed.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from stacklab.base.streams import numpy_stream
from stacklab.stats.calibration.noise import CORRELATION, Bools, Floats, normal
from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.multiplicity import holm
from stacklab.stats.verdict import Rule, difference_p_values, verdicts
from stacklab.stats.verdict import p_values as p_values_of


class Family(NamedTuple):
    claims: int
    correlation: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.claims}, correlation {self.correlation:g}" if self.correlation else f"{self.claims} independent"


NULLS = (Family(3), Family(12), Family(21, 0.5), Family(42, 0.5))
NULL_SEEDS = (3, 5)
POWERS = (Family(3), Family(12), Family(21))
POWER_SEEDS = (3, 5, 8)
EFFECTS = (2.0, 3.0)


def draw(family: Family, rng: np.random.Generator, repeats: int, seeds: int) -> Floats:
    """Differences without an effect, [repeats, claims, seeds]."""
    own = normal(rng, (repeats * family.claims, seeds)).reshape(repeats, family.claims, seeds)
    shared = normal(rng, (repeats, seeds))[:, None]
    share = family.correlation
    return float(np.sqrt(share)) * shared + float(np.sqrt(1 - share)) * own


def p_values(gaps_RKN: Floats) -> Floats:
    """Two-sided p values of the difference, [repeats, claims], by the rule."""
    repeats, claims, seeds = gaps_RKN.shape
    rows = gaps_RKN.reshape(-1, seeds)
    p_C = difference_p_values(rows, np.zeros_like(rows), by=COMPARISONS["paired"], bounded=False)
    return p_C.reshape(repeats, claims)


def nulls(repeats: int, seed: int) -> Table:
    """The share of studies without any effect that show one."""
    rows = []
    for family in NULLS:
        for seeds in NULL_SEEDS:
            gaps = draw(family, numpy_stream(seed, "calibrate", "family", family.claims, seeds), repeats, seeds)
            raw, lower = p_values(gaps), gaps.mean(axis=2) < 0
            values = [
                float(np.mean(np.any(shown, axis=1)))
                for p in (raw, holm(raw, raw))
                for shown in ((p <= LEVEL) & lower, p <= LEVEL)
            ]
            rows.append(Row(keys=(family.name, str(seeds)), values=tuple(values)))
    headings = ("supported, alone", "clear, alone", "supported, Holm", "clear, Holm")
    return Table(
        name="families",
        title=f"Families of claims, none true: {repeats:,} studies a row",
        caption="share of studies with a false supported claim, and with any false clear verdict; alone: each claim at "
        "the full level; Holm: the rule",
        repeats=repeats,
        keys=("claims", "seeds"),
        columns=tuple(Column(heading=heading, most=LEVEL) for heading in headings),
        rows=tuple(rows),
    )


def power(repeats: int, seed: int) -> Table:
    """The power for one true claim among others that are not, and where all are true."""
    rows = []
    for family in POWERS:
        for true, name in ((1, f"{family.claims}"), (family.claims, f"{family.claims}, all true")):
            for effect in EFFECTS:
                values = []
                for seeds in POWER_SEEDS:
                    rng = numpy_stream(seed, "calibrate", "family power", family.claims, seeds)
                    gaps = draw(family, rng, repeats, seeds)
                    gaps[:, :true] -= effect
                    raw = p_values(gaps)
                    corrected = holm(raw, raw), holm(raw, np.ones_like(raw)), raw
                    values += [float(np.mean(p[:, :true] <= LEVEL)) for p in corrected]
                rows.append(Row(keys=(name, f"{effect:g} sd"), values=tuple(values)))
    hows = "Holm", "matters", "alone"
    return Table(
        name="family power",
        title=f"Power for true claims, one among independent others or all: {repeats:,} studies a row",
        caption="share of true claims shown. Holm: by the rule, where no claim says what matters; matters: where all "
        "do, and are beyond it; alone: suggestive or better",
        repeats=repeats,
        keys=("claims", "effect"),
        columns=tuple(Column(heading=f"{seeds} seeds, {how}", digits=2) for seeds in POWER_SEEDS for how in hows),
        rows=tuple(rows),
    )


class Mixture(NamedTuple):
    """Claims that say what matters, in units of which effects are.

    without: how many of the claims have no effect. The others have one of `effect`, in turn in either direction.
    noise: what matters, in standard errors of the mean difference, for claims without an effect and for the others.
    """

    without: int
    effect: float
    noise: tuple[float, float]

    def effects(self, claims: int) -> Floats:
        number = np.arange(claims)
        effects: Floats = np.where(number < self.without, 0.0, self.effect * (-1.0) ** number)
        return effects

    def draw(self, family: Family, rng: np.random.Generator, repeats: int, seeds: int) -> Floats:
        """Differences, [repeats, claims, seeds]."""
        unit_K = np.where(np.arange(family.claims) < self.without, *self.noise) / np.sqrt(seeds)
        drawn: Floats = self.effects(family.claims)[:, None] + draw(family, rng, repeats, seeds) / unit_K[:, None]
        return drawn


ALL = 1_000
LITTLE, SOME, MUCH = 30.0, 4.0, 1.0
"""Noise: with little, a difference of what matters is always shown, with much almost never."""
MIXTURES = {
    "no effects": Mixture(ALL, 0.0, (MUCH, MUCH)),
    "no effects, some noise": Mixture(ALL, 0.0, (SOME, SOME)),
    "effects of what matters": Mixture(0, 1.0, (LITTLE, LITTLE)),
    "the same, some noise": Mixture(0, 1.0, (SOME, SOME)),
    "the same, but one without": Mixture(1, 1.0, (MUCH, LITTLE)),
    "effects of half of it, but one without": Mixture(1, 0.5, (MUCH, LITTLE)),
    "the same, some noise in these": Mixture(1, 0.5, (MUCH, SOME)),
}
MIXED = (Family(3), Family(6, 0.5), Family(12))
MIXED_SEEDS = (3, 5, 10, 20)


def conclusions(gaps_RKN: Floats, matters: float, *, together: bool) -> tuple[Bools, Bools]:
    """Which claims show a difference, and which one smaller than `matters`, each [repeats, claims].

    together: by the rule; else differences by Holm's correction and what is smaller by Bonferroni's, each at the level.
    """
    repeats, claims, seeds = gaps_RKN.shape
    rows = gaps_RKN.reshape(-1, seeds), np.zeros((repeats * claims, seeds))
    by, p_RK = COMPARISONS["paired"], p_values(gaps_RKN)
    less_C = p_values_of(*rows, by=by, rule=Rule("equivalent", matters))
    is_less_C = verdicts(*rows, by=by, rule=Rule("lower", matters=matters, level=LEVEL)) == "negligible"
    less_RK, is_less_RK = (row_C.reshape(repeats, claims) for row_C in (np.where(is_less_C, less_C, 1.0), is_less_C))
    leaving_RK = np.maximum(p_RK, less_RK)
    if together:
        p_RK, less_RK = holm(p_RK, leaving_RK), holm(less_RK, leaving_RK)
    else:
        p_RK, less_RK = holm(p_RK, p_RK), claims * less_RK
    return ~is_less_RK & (p_RK <= LEVEL), is_less_RK & (less_RK <= LEVEL)


def wrong(gaps_RKN: Floats, effect_K: Floats, *, together: bool) -> float:
    """The share of studies with any false conclusion: a difference that is none or has the other sign, or one that is
    said to be smaller than what matters, 1, and is not."""
    shown_RK, less_RK = conclusions(gaps_RKN, 1.0, together=together)
    false_RK = shown_RK & (np.sign(gaps_RKN.mean(axis=2)) != np.sign(effect_K)) | less_RK & (np.abs(effect_K) >= 1)
    return float(np.mean(np.any(false_RK, axis=1)))


def mixed(repeats: int, seed: int) -> Table:
    """Studies in which some claims differ, some by what matters, and some do not: by the rule, and without it."""
    rows = []
    for family in MIXED:
        for name, mixture in MIXTURES.items():
            values = []
            for seeds in MIXED_SEEDS:
                rng = numpy_stream(seed, "calibrate", "mixed", family.name, seeds)
                gaps, effects = mixture.draw(family, rng, repeats, seeds), mixture.effects(family.claims)
                values += [wrong(gaps, effects, together=together) for together in (True, False)]
            rows.append(Row(keys=(family.name, name), values=(*values[::2], *values[1::2])))
    return Table(
        name="mixed families",
        title=f"Families of claims that say what matters: {repeats:,} studies a row",
        caption="share of studies with any false conclusion; apart: differences by Holm's correction, and smaller than "
        "what matters by Bonferroni's, each at the level",
        repeats=repeats,
        keys=("claims", "effects"),
        columns=tuple(
            Column(heading=f"{how}{seeds} seeds", most=LEVEL) for how in ("", "apart, ") for seeds in MIXED_SEEDS
        ),
        rows=tuple(rows),
    )


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
    p_RA = np.column_stack(p)
    shown_RA: Bools = holm(p_RA, p_RA) <= LEVEL
    return shown_RA


def draw_arms(pairing: Pairing, arms: int, rng: np.random.Generator, repeats: int, seeds: int) -> Floats:
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
                runs = draw_arms(pairing, arms, rng, repeats, seeds)
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

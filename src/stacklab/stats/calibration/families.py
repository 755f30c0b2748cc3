"""Studies with many claims: how often one errs, with and without Holm's correction, and what the correction costs.

Claims are paired with normal noise of standard deviation 1. Correlated claims share a normal part at each seed.
"""

from typing import NamedTuple

import numpy as np

from stacklab.base.streams import numpy_stream
from stacklab.stats.calibration.noise import Floats, normal
from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.verdict import difference_p_values


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


def holm(p_RK: Floats) -> Floats:
    """Adjusted p values of the K claims of each of R studies (Holm 1979), as `stats.multiplicity.adjust` has them for
    one."""
    count = p_RK.shape[1]
    order_RK = np.argsort(p_RK, axis=1)
    scaled_RK = np.take_along_axis(p_RK, order_RK, axis=1) * np.arange(count, 0, -1)
    adjusted_RK = np.empty_like(p_RK)
    np.put_along_axis(adjusted_RK, order_RK, np.maximum.accumulate(scaled_RK, axis=1), axis=1)
    return np.minimum(adjusted_RK, 1.0)


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
                for p in (raw, holm(raw))
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
    """The power for one true claim among others that are not."""
    rows = []
    for family in POWERS:
        for effect in EFFECTS:
            values = []
            for seeds in POWER_SEEDS:
                rng = numpy_stream(seed, "calibrate", "family power", family.claims, seeds)
                gaps = draw(family, rng, repeats, seeds)
                gaps[:, 0] -= effect
                raw = p_values(gaps)
                values += [float(np.mean(p[:, 0] <= LEVEL)) for p in (holm(raw), raw)]
            rows.append(Row(keys=(str(family.claims), f"{effect:g} sd"), values=tuple(values)))
    columns = [Column(heading=f"{seeds} seeds, {how}", digits=2) for seeds in POWER_SEEDS for how in ("Holm", "alone")]
    return Table(
        name="family power",
        title=f"Power for one true claim among independent others: {repeats:,} studies a row",
        caption="Holm: the rule; alone: suggestive or better",
        repeats=repeats,
        keys=("claims", "effect"),
        columns=tuple(columns),
        rows=tuple(rows),
    )

"""All tables of `stacklab calibrate`: the rule for verdicts on simulated studies with and without an effect."""

from collections.abc import Callable

from stacklab.base.spec import Items, Spec
from stacklab.stats.calibration import (
    accuracies,
    exact,
    families,
    interquartile,
    losses,
    remedies,
)
from stacklab.stats.calibration.table import LEVEL, Table

Simulation = Callable[[int, int], Table]
"""Studies a row, seed -> the rates."""
TABLES: tuple[Simulation, ...] = (
    losses.paired,
    losses.unpaired,
    losses.looks,
    accuracies.accuracies,
    accuracies.power,
    exact.accuracies,
    families.nulls,
    families.power,
    families.mixed,
    families.many_arms,
    exact.constants,
)
SLOW: tuple[Simulation, ...] = (remedies.remedies, interquartile.interquartile)
"""Tables that decide no verdict but the choice of the rule, and take longer."""


class Calibration(Spec):
    """What `stacklab calibrate` measured, with its settings."""

    repeats: int
    seed: int
    level: float
    tables: Items[Table]

    def table(self, name: str) -> Table:
        return {table.name: table for table in self.tables}[name]


def calibrate(*, repeats: int, seed: int, slow: bool = False) -> Calibration:
    """Every table, with `repeats` simulated studies a row; the streams follow from `seed`. slow: SLOW as well."""
    simulations = (*TABLES, *SLOW) if slow else TABLES
    tables = tuple(simulation(repeats, seed) for simulation in simulations)
    return Calibration(repeats=repeats, seed=seed, level=LEVEL, tables=tables)

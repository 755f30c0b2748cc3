"""The table of `stacklab plan` on the power of the seeds."""

from rich.table import Table

from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.needed import MOST_SEEDS, detectable_effect, seeds_for_effect
from stacklab.stats.power import difference_power

EFFECTS = (0.5, 1.0, 2.0, 4.0)
UNITS = {"paired": "the paired difference", "unpaired": "a run"}


def power_table(pairing: Pairing, seeds: int, *, level: float, power: float) -> Table:
    """What `seeds` per arm, at least 2, can show at the error level `level`: the power for several effects, the seeds
    that reach `power` for each, and the effect that these seeds reach it for."""
    by = COMPARISONS[pairing]
    table = Table(
        "difference in standard deviations",
        title=f"{pairing} comparisons at level {level:.3g}: power of {seeds} seeds",
        caption=f"with {seeds} seeds, {power:.0%} power needs a difference of at least "
        f"{detectable_effect(by, seeds, level=level, power=power):.2g} standard deviations of {UNITS[pairing]}; the "
        f"smallest two-sided p of an exact permutation test is {by.smallest_p(seeds):.3g}",
    )
    for heading in (f"power with {seeds} seeds", f"seeds for {power:.0%} power"):
        table.add_column(heading, justify="right")
    for effect in EFFECTS:
        needed = seeds_for_effect(by, effect, level=level, power=power)
        reached = difference_power(effect, by.design(seeds), level=level)
        table.add_row(f"{effect:g}", f"{reached:.0%}", f"over {MOST_SEEDS:,}" if needed is None else f"{needed:,}")
    return table

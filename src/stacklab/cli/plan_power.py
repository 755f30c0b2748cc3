"""The table of `stacklab plan` on the power of the seeds."""

from rich.table import Table

from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.needed import MOST_SEEDS, detectable_effect, seeds_for_effect
from stacklab.stats.power import difference_power

EFFECTS = (0.5, 1.0, 2.0, 4.0)
UNITS = {"paired": "the paired difference", "unpaired": "a run"}


def power_table(pairing: Pairing, seeds: int, *, level: float, power: float, family: int) -> Table:
    """What `seeds` per arm, at least 2, can show: the power for several effects, the seeds that reach `power` for each,
    and the effect that these seeds reach it for.

    At the error level of one claim, and at the share of it that Holm's correction leaves the first of `family`
    confirmatory claims; without others, or with family 0, at the level alone.
    """
    by = COMPARISONS[pairing]
    levels = {f"{level:.3g}": level}
    if family > 1:
        levels[f"{level:.3g} / {family}"] = level / family
    least = [
        f"{detectable_effect(by, seeds, level=each, power=power):.2g} at level {name}" for name, each in levels.items()
    ]
    table = Table(
        "difference",
        title=f"power of {seeds} seeds, {pairing}",
        caption=f"Differences are in standard deviations of {UNITS[pairing]}. With {seeds} seeds, {power:.0%} power "
        f"needs a difference of {', '.join(least)}.{_family(level, family)} The smallest two-sided p of an exact "
        f"permutation test is {by.smallest_p(seeds):.3g}.",
        title_justify="left",
        caption_justify="left",
    )
    for name in levels:
        table.add_column(f"power at level {name}", justify="right")
        table.add_column(f"seeds for {power:.0%}", justify="right")
    for effect in EFFECTS:
        cells: list[str] = []
        for each in levels.values():
            needed = seeds_for_effect(by, effect, level=each, power=power)
            cells.append(f"{difference_power(effect, by.design(seeds), level=each):.0%}")
            cells.append(f"over {MOST_SEEDS:,}" if needed is None else f"{needed:,}")
        table.add_row(f"{effect:g}", *cells)
    return table


def _family(level: float, family: int) -> str:
    if family < 2:
        return ""
    return f" Level {level:.3g} / {family} is that of the first of {family} confirmatory comparisons (Holm)."

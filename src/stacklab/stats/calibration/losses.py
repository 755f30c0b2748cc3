"""Error rates and power for losses: paired, unpaired, and at repeated looks.

Effects and margins are in standard deviations of a paired difference, and of a run where the arms are not paired.
"""

import numpy as np
from numpy.typing import NDArray

from stacklab.base.streams import numpy_stream
from stacklab.stats.bootstrap import bca_bounds
from stacklab.stats.calibration.noise import NOISES, Floats, draw_groups, draw_pairs
from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.comparison import COMPARISONS, Comparison, Pairing
from stacklab.stats.multiplicity import look_level
from stacklab.stats.paired import t_bounds
from stacklab.stats.verdict import Direction, Rule, verdicts

SEEDS: dict[Pairing, tuple[int, ...]] = {"paired": (3, 5, 8, 12, 20), "unpaired": (3, 5, 10, 20)}
EFFECTS = (1.0, 2.0)
MARGIN = 2.0
BCA_REPEATS, BCA_RESAMPLES = 1_000, 999
CLOSE = 0.45
"""Share of the critical t from which a first look counts as close, for a user who adds seeds depending on the data."""

COLUMNS = (
    Column(heading="false lower", most=LEVEL),
    Column(heading="false higher", most=LEVEL),
    Column(heading="covers"),
    Column(heading="BCa covers", digits=2),
    *(Column(heading=f"power {effect:g} sd", digits=2) for effect in EFFECTS),
    Column(heading="false equal", most=LEVEL),
    Column(heading="equal", digits=2),
)


def paired(repeats: int, seed: int) -> Table:
    """Arms paired by seed."""
    return _table("paired", "losses", repeats, seed)


def unpaired(repeats: int, seed: int) -> Table:
    """Two groups of runs that share nothing."""
    return _table("unpaired", "losses, unpaired", repeats, seed)


def _table(pairing: Pairing, name: str, repeats: int, seed: int) -> Table:
    rows = []
    for noise, draws in NOISES.items():
        if pairing == "paired":
            drawn = draw_pairs(draws, numpy_stream(seed, "calibrate", noise), repeats, max(SEEDS[pairing]))
        else:
            rng = numpy_stream(seed, "calibrate", "unpaired", noise)
            drawn = draw_groups(draws, rng, repeats, max(SEEDS[pairing]))
        rows += [_row(noise, COMPARISONS[pairing], drawn, count, seed) for count in SEEDS[pairing]]
    few = min(repeats, BCA_REPEATS)
    return Table(
        name=name,
        title=f"Losses, {'paired by seed' if pairing == 'paired' else 'unpaired'}: {repeats:,} studies a row "
        f"({few:,} for BCa)",
        caption="false lower, false higher: supported without an effect, for a claim of that direction; false equal: "
        f"equivalent within ±{MARGIN:g} sd though the difference is that large; covers: coverage of the t interval; "
        "equal: equivalent without a difference",
        repeats=repeats,
        keys=("noise", "seeds"),
        columns=COLUMNS,
        rows=tuple(rows),
    )


def _rate(by: Comparison, arm_RN: Floats, against_RN: Floats, direction: Direction, wanted: str) -> float:
    margin = MARGIN if direction == "equivalent" else None
    verdict_R = verdicts(arm_RN, against_RN, by=by, rule=Rule(direction, margin, LEVEL))
    return float(np.mean(verdict_R == wanted))


def _row(noise: str, by: Comparison, drawn: tuple[Floats, Floats], seeds: int, seed: int) -> Row:
    arm, against = (runs_RN[:, :seeds] for runs_RN in drawn)
    low_R, high_R = by.bounds(arm, against, LEVEL)
    few = by.samples(arm[:BCA_REPEATS], against[:BCA_REPEATS])
    rng = numpy_stream(seed, "calibrate", "bootstrap")
    bca_low_R, bca_high_R = bca_bounds(few, level=LEVEL, rng=rng, resamples=BCA_RESAMPLES)
    values = (
        _rate(by, arm, against, "lower", "supported"),
        _rate(by, arm, against, "higher", "supported"),
        float(np.mean((low_R <= 0) & (high_R >= 0))),
        float(np.mean((bca_low_R <= 0) & (bca_high_R >= 0))),
        *(_rate(by, arm - effect, against, "lower", "supported") for effect in EFFECTS),
        max(_rate(by, arm + edge, against, "equivalent", "equivalent") for edge in (MARGIN, -MARGIN)),
        _rate(by, arm, against, "equivalent", "equivalent"),
    )
    return Row(keys=(noise, str(seeds)), values=values)


def looks(repeats: int, seed: int) -> Table:
    """Repeated looks at growing numbers of seeds, stopping at the first clear verdict, with and without the rule."""
    rows, sizes = [], SEEDS["paired"]
    for noise, draws in NOISES.items():
        drawn = draw_pairs(draws, numpy_stream(seed, "calibrate", noise), repeats, max(sizes))
        rows.append(Row(keys=(noise,), values=_looks(*drawn)))
    return Table(
        name="looks",
        title=f"Looks at {', '.join(map(str, sizes))} seeds, stopping at the first clear verdict: {repeats:,} studies "
        "a row",
        caption="false: a clear verdict without an effect; chosen: two looks, the second after one seed more where "
        f"the first was close, else at {max(sizes)}; power: at the split level, for {EFFECTS[0]:g} sd",
        repeats=repeats,
        keys=("noise",),
        columns=(
            Column(heading="false, split level", most=LEVEL),
            Column(heading="false, full level each", most=LEVEL),
            Column(heading="false, split and chosen", most=LEVEL),
            Column(heading="power", digits=2),
        ),
        rows=tuple(rows),
    )


def _looks(arm_RN: Floats, against_RN: Floats) -> tuple[float, ...]:
    count = len(SEEDS["paired"])
    shares = [look_level(LEVEL, look, count) for look in range(1, count + 1)]
    null_R = _first_clear(arm_RN, against_RN, shares)
    naive_R = _first_clear(arm_RN, against_RN, [LEVEL] * count)
    return (
        float(np.mean(null_R != "inconclusive")),
        float(np.mean(naive_R != "inconclusive")),
        _chosen(arm_RN - against_RN),
        float(np.mean(_first_clear(arm_RN - EFFECTS[0], against_RN, shares) == "supported")),
    )


def _first_clear(arm_RN: Floats, against_RN: Floats, levels: list[float]) -> NDArray[np.str_]:
    """The verdict at which each row stops that looks at each number of seeds until one is clear."""
    verdict_R = np.full(len(arm_RN), "inconclusive")
    for count, level in zip(SEEDS["paired"], levels, strict=True):
        seen = arm_RN[:, :count], against_RN[:, :count]
        now_R = verdicts(*seen, by=COMPARISONS["paired"], rule=Rule("lower", level=level))
        verdict_R = np.where(verdict_R == "inconclusive", now_R, verdict_R)
    return verdict_R


def _chosen(gaps_RN: Floats) -> float:
    """Clear verdicts at two looks when a close first one is followed by one seed more and a distant one by many."""
    from scipy import stats

    level, (first, *_, last) = look_level(LEVEL, 1, 2), SEEDS["paired"]
    early_RN = gaps_RN[:, :first]
    low_R, high_R = t_bounds(early_RN, level)
    t_R = early_RN.mean(axis=1) / early_RN.std(axis=1, ddof=1) * np.sqrt(first)
    critical = stats.t.ppf(1 - level / 2, first - 1)
    clear_R = (low_R > 0) | (high_R < 0)
    for count, turn_R in ((first + 1, np.abs(t_R) > CLOSE * critical), (last, np.abs(t_R) <= CLOSE * critical)):
        low_R, high_R = t_bounds(gaps_RN[:, :count], level)
        clear_R |= turn_R & ((low_R > 0) | (high_R < 0))
    return float(np.mean(clear_R))

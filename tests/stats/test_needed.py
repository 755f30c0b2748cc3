import numpy as np
import pytest
from scipy import stats

from stacklab.stats.comparison import COMPARISONS, Comparison
from stacklab.stats.needed import (
    MOST_SEEDS,
    detectable_effect,
    needed_text,
    power_curve,
    seeds_for_effect,
    seeds_for_equivalence,
    seeds_needed,
)
from stacklab.stats.power import difference_power
from stacklab.stats.result import Estimate, Needed, SeedsNeeded, Undefined

PAIRED, UNPAIRED = COMPARISONS["paired"], COMPARISONS["unpaired"]


def paired(gaps: list[float], *, margin: float | None = None, power: float = 0.8) -> SeedsNeeded:
    return seeds_needed(PAIRED, gaps, [0.0] * len(gaps), margin=margin, level=0.05, power=power)


def planted(gap: float, spread: float, seeds: int, seed: int) -> list[float]:
    """Values with exactly this mean and standard deviation."""
    return (spread * stats.zscore(np.random.default_rng(seed).normal(size=seeds), ddof=1) + gap).tolist()


def test_pairs_reach_the_power_that_is_stated() -> None:
    seeds = seeds_for_effect(PAIRED, 1.0, level=0.05, power=0.95)
    assert (seeds_for_effect(PAIRED, 1.0, level=0.05), seeds) == (10, 16)
    for number, power in ((10, 0.8), (16, 0.95)):
        drawn = np.random.default_rng(9).normal(1.0, 1.0, size=(4_000, number))
        assert np.mean(stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05) == pytest.approx(power, abs=0.03)


def test_pairs_reach_the_power_to_show_an_equivalence() -> None:
    found = seeds_for_equivalence(PAIRED, 0.3, 1.0, level=0.05, power=0.8)
    assert found is not None
    rng = np.random.default_rng(1)
    reached = []
    for seeds in (found - 1, found):
        drawn = rng.normal(0.3, 1.0, size=(20_000, seeds))
        within = stats.ttest_1samp(drawn, 0.0, axis=1).confidence_interval(0.9)
        reached.append(np.mean((within.low > -1.0) & (within.high < 1.0)))
    assert reached[0] - 0.01 < 0.8 < reached[1] + 0.01
    assert reached[1] == pytest.approx(0.8, abs=0.03)


def test_unpaired_runs_reach_the_power_that_is_stated() -> None:
    assert seeds_for_effect(UNPAIRED, 1.0, level=0.05) == 17
    rng = np.random.default_rng(4)
    both = rng.normal(1.0, 1.0, size=(10_000, 17)), rng.normal(0.0, 1.0, size=(10_000, 17))
    assert np.mean(stats.ttest_ind(*both, axis=1, equal_var=False).pvalue < 0.05) == pytest.approx(0.8, abs=0.02)
    equal = seeds_for_equivalence(UNPAIRED, 1.0, 2.0, level=0.05, power=0.8)
    assert equal is not None
    drawn = rng.normal(1.0, 1.0, size=(10_000, equal)), rng.normal(0.0, 1.0, size=(10_000, equal))
    within = stats.ttest_ind(*drawn, axis=1, equal_var=False).confidence_interval(0.9)
    assert np.mean((within.low > -2.0) & (within.high < 2.0)) == pytest.approx(0.8, abs=0.04)


def test_a_stated_effect_of_either_sign_needs_as_many_and_a_tiny_one_too_many() -> None:
    assert seeds_for_effect(PAIRED, 1.0, level=0.05) == seeds_for_effect(PAIRED, -1.0, level=0.05) == 10
    assert seeds_for_effect(PAIRED, 1e-4, level=0.05) is None
    assert seeds_for_effect(UNPAIRED, 0.0, level=0.05) is None


def test_the_search_reaches_its_stated_end_and_a_huge_effect_its_true_number() -> None:
    assert seeds_for_effect(UNPAIRED, 0.05, level=0.05, power=0.9) == 8_407, "not None, beyond 8,192"
    assert seeds_for_effect(PAIRED, 8.0, level=0.05) == 3, "not 2, where a nan had been read as a power of 1"


@pytest.mark.parametrize("by", COMPARISONS.values(), ids=COMPARISONS)
@pytest.mark.parametrize(("seeds", "level"), [(2, 0.05), (3, 0.05), (3, 0.05 / 15), (20, 0.01)])
def test_the_detectable_effect_has_the_power_and_needs_the_seeds(by: Comparison, seeds: int, level: float) -> None:
    effect = detectable_effect(by, seeds, level=level, power=0.9)
    assert difference_power(effect, by.design(seeds), level=level) == pytest.approx(0.9, abs=1e-6)
    assert seeds_for_effect(by, 1.001 * effect, level=level, power=0.9) == seeds
    assert detectable_effect(by, seeds, level=level, power=level / 2) == 0.0


TRUTHS = [(PAIRED, 0.5, 4), (PAIRED, 1.0, 5), (PAIRED, 2.0, 8), (UNPAIRED, 1.0, 4)]


@pytest.mark.parametrize(("by", "effect", "pilots"), TRUTHS)
def test_the_range_holds_the_seeds_really_needed_as_often_as_it_says(
    by: Comparison, effect: float, pilots: int
) -> None:
    """At its confidence of 90 %, over all pilots; those without a number name no wrong one."""
    needed, rng, repeats = seeds_for_effect(by, effect, level=0.1), np.random.default_rng(pilots), 150
    assert needed is not None
    spread = 1.0 if by is UNPAIRED else 0.0
    wrong = 0
    for _ in range(repeats):
        arm, against = rng.normal(effect, 1.0, pilots), rng.normal(0.0, spread, pilots)
        found = seeds_needed(by, arm.tolist(), against.tolist(), margin=None, level=0.1, power=0.8)
        if isinstance(found, Needed):
            wrong += not found.fewest <= needed <= (found.most or MOST_SEEDS)
    assert wrong / repeats <= 0.1 + 3 * (0.09 / repeats) ** 0.5


@pytest.mark.parametrize(("by", "gap", "pilots"), [(PAIRED, 0.2, 5), (PAIRED, 0.0, 12), (UNPAIRED, 0.0, 8)])
def test_the_range_of_an_equivalence_holds_them_too(by: Comparison, gap: float, pilots: int) -> None:
    needed = seeds_for_equivalence(by, gap, 2.0, level=0.1, power=0.8)
    rng, repeats, wrong, bounded = np.random.default_rng(pilots), 100, 0, 0
    assert needed is not None
    for _ in range(repeats):
        arm, against = rng.normal(gap, 1.0, pilots), rng.normal(0.0, 1.0 if by is UNPAIRED else 0.0, pilots)
        found = seeds_needed(by, arm.tolist(), against.tolist(), margin=2.0, level=0.1, power=0.8)
        if isinstance(found, Needed):
            wrong += not found.fewest <= needed <= (found.most or MOST_SEEDS)
            bounded += found.most is not None
    assert wrong / repeats <= 0.1
    assert bounded > repeats / 2


@pytest.mark.parametrize("margin", [None, 1.0])
@pytest.mark.parametrize("pilots", [2, 3])
@pytest.mark.parametrize("by", COMPARISONS.values(), ids=COMPARISONS)
def test_three_pilots_or_fewer_never_name_a_number(by: Comparison, pilots: int, margin: float | None) -> None:
    rng = np.random.default_rng(0)
    for gap in (0.0, 0.5, 3.0):
        arm, against = rng.normal(gap, 1.0, pilots), rng.normal(0.0, 0.3, pilots)
        found = seeds_needed(by, arm.tolist(), against.tolist(), margin=margin, level=0.05, power=0.8)
        assert found == Undefined(reason=f"{pilots} seeds are too few to estimate it")


def test_the_ends_are_those_of_the_effects_interval() -> None:
    gaps = planted(1.0, 1.0, 8, 5)
    found, effect = paired(gaps), PAIRED.effect(gaps, [0.0] * 8, level=0.05)
    assert isinstance(found, Needed) and isinstance(effect, Estimate)
    assert effect.low > 0
    assert found.fewest == seeds_for_effect(PAIRED, effect.high, level=0.05)
    assert found.most == seeds_for_effect(PAIRED, effect.low, level=0.05)
    assert paired([-gap for gap in gaps]) == found, "either sign"
    assert found.level == effect.level == 0.95


def test_text_and_curve_cross_at_the_same_seeds() -> None:
    gaps = planted(1.2, 1.0, 8, 6)
    effect, found = PAIRED.effect(gaps, [0.0] * 8, level=0.05), paired(gaps)
    assert isinstance(found, Needed) and isinstance(effect, Estimate) and found.most is not None
    curve = power_curve(PAIRED, effect, reach=found.most + 1, level=0.05)
    for powers, seeds in ((curve.most, found.fewest), (curve.least, found.most)):
        assert curve.seeds[sum(power < 0.8 for power in powers)] == seeds
    assert all(least <= power <= most for least, power, most in zip(*curve[2:0:-1], curve.most, strict=True))


def test_an_interval_that_includes_0_sets_no_upper_limit() -> None:
    found = paired(planted(0.1, 1.0, 10, 2))
    assert isinstance(found, Needed)
    assert (found.most, found.unbounded) == (None, "the difference may be 0")
    assert found.fewest > 10
    assert needed_text(found) == (
        f"fewer than {found.fewest} seeds would not reach 80 % power (95% interval of the effect); no upper limit: "
        "the difference may be 0"
    )


@pytest.mark.parametrize(
    ("gaps", "margin", "reason"),
    [
        (planted(0.8, 1.0, 5, 2), None, "the difference may be 0, or 5 seeds may suffice"),
        (planted(0.5, 1.0, 5, 2), 1.0, "the difference may lie outside ±1, or 5 seeds may suffice"),
        (planted(2.0, 0.1, 5, 2), 1.0, "the difference does not lie within ±1"),
        (planted(0.0, 1.0, 5, 2), 1e-4, "it would take more than 10,000 seeds"),
        ([0.3], None, "needs 2 pairs, has 1"),
        ([0.0, 0.0, 0.0], None, "all 3 differences are 0: no spread to judge by"),
    ],
)
def test_where_no_number_would_do_the_reason_is_stated(gaps: list[float], margin: float | None, reason: str) -> None:
    found = paired(gaps, margin=margin)
    assert found == Undefined(reason=reason)
    assert needed_text(found) == f"the number of seeds needed is unknown: {reason}"


def test_an_upper_end_beyond_the_search_is_stated_as_such() -> None:
    gaps = planted(0.73, 1.0, 10, 2)
    effect, found = PAIRED.effect(gaps, [0.0] * 10, level=0.05), paired(gaps, power=0.999)
    assert isinstance(effect, Estimate) and 0 < effect.low < 0.028, "for which 10,000 seeds are not enough"
    assert isinstance(found, Needed)
    assert (found.most, found.unbounded) == (None, "it may take more than 10,000 seeds")


def test_a_power_is_not_rounded_up_to_certainty() -> None:
    def text(power: float, most: int | None = 1_300) -> str:
        return needed_text(Needed(fewest=1_200, most=most, power=power, level=0.95))

    assert "reach 99.9 % power" in text(0.9999)
    assert text(0.29).startswith("1,200 to 1,300 seeds would reach 29 % power (95% interval of the effect)")
    assert text(0.29, most=1_200).startswith("1,200 seeds would reach")

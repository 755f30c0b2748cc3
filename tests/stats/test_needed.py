import numpy as np
import pytest
from scipy import stats

from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.needed import needed_text, seeds_for_effect, seeds_needed
from stacklab.stats.result import Needed, SeedsNeeded, Undefined

PAIRED, UNPAIRED = COMPARISONS["paired"], COMPARISONS["unpaired"]


def paired(gaps: list[float], *, margin: float | None = None, power: float = 0.8) -> SeedsNeeded:
    return seeds_needed(PAIRED, gaps, [0.0] * len(gaps), margin=margin, level=0.05, power=power)


def planted(gap: float, spread: float, seeds: int, seed: int) -> list[float]:
    """Values whose mean and standard deviation are exactly as told."""
    return (spread * stats.zscore(np.random.default_rng(seed).normal(size=seeds), ddof=1) + gap).tolist()


def test_pairs_reach_the_power_that_is_stated() -> None:
    found = paired(planted(1.0, 1.0, 6, 9))
    assert found == Needed(seeds=10, power=0.8)
    drawn = np.random.default_rng(9).normal(1.0, 1.0, size=(4_000, 10))
    assert np.mean(stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)
    more = paired(planted(1.0, 1.0, 6, 9), power=0.95)
    assert isinstance(more, Needed)
    assert (more.seeds, more.power) == (16, 0.95)


def test_pairs_reach_the_power_to_show_an_equivalence() -> None:
    found = paired(planted(0.3, 1.0, 4, 1), margin=1.0)
    assert isinstance(found, Needed)
    rng = np.random.default_rng(1)
    reached = []
    for seeds in (found.seeds - 1, found.seeds):
        drawn = rng.normal(0.3, 1.0, size=(20_000, seeds))
        within = stats.ttest_1samp(drawn, 0.0, axis=1).confidence_interval(0.9)
        reached.append(np.mean((within.low > -1.0) & (within.high < 1.0)))
    assert reached[0] - 0.01 < 0.8 < reached[1] + 0.01
    assert reached[1] == pytest.approx(0.8, abs=0.03)


def test_unpaired_runs_reach_the_power_that_is_stated() -> None:
    arm, against = planted(1.0, 1.0, 5, 2), planted(0.0, 1.0, 5, 3)
    found = seeds_needed(UNPAIRED, arm, against, margin=None, level=0.05, power=0.8)
    assert found == Needed(seeds=17, power=0.8)
    rng = np.random.default_rng(4)
    both = rng.normal(1.0, 1.0, size=(10_000, 17)), rng.normal(0.0, 1.0, size=(10_000, 17))
    assert np.mean(stats.ttest_ind(*both, axis=1, equal_var=False).pvalue < 0.05) == pytest.approx(0.8, abs=0.02)
    equal = seeds_needed(UNPAIRED, arm, against, margin=2.0, level=0.05, power=0.8)
    assert isinstance(equal, Needed)
    drawn = rng.normal(1.0, 1.0, size=(10_000, equal.seeds)), rng.normal(0.0, 1.0, size=(10_000, equal.seeds))
    within = stats.ttest_ind(*drawn, axis=1, equal_var=False).confidence_interval(0.9)
    assert np.mean((within.low > -2.0) & (within.high < 2.0)) == pytest.approx(0.8, abs=0.04)


def test_a_stated_effect_of_either_sign_needs_as_many_and_a_tiny_one_too_many() -> None:
    assert seeds_for_effect(PAIRED, 1.0, level=0.05) == seeds_for_effect(PAIRED, -1.0, level=0.05) == 10
    assert seeds_for_effect(PAIRED, 1e-4, level=0.05) is None
    assert seeds_for_effect(UNPAIRED, 0.0, level=0.05) is None


def test_it_is_never_what_did_not_suffice() -> None:
    assert paired([0.045, 0.05, 0.052]) == Needed(seeds=4, power=0.8)


@pytest.mark.parametrize(
    ("gaps", "margin", "reason"),
    [
        ([0.3, 0.4], 0.2, "the observed difference, +0.35, does not lie within ±0.2"),
        ([-0.3, -0.1], 0.2, "the observed difference, -0.2, does not lie within ±0.2"),
        ([-1.0, 1.0 + 1e-9], None, "it would take more than 10,000 seeds"),
        ([0.3], None, "needs 2 pairs, has 1"),
        ([0.0, 0.0, 0.0], None, "all 3 differences are 0: no spread to judge by"),
    ],
)
def test_where_no_number_would_do_the_reason_is_told(gaps: list[float], margin: float | None, reason: str) -> None:
    found = paired(gaps, margin=margin)
    assert found == Undefined(reason=reason)
    assert needed_text(found).endswith(reason)


def test_a_power_is_not_rounded_up_to_certainty() -> None:
    assert "reach 99.9 % power" in needed_text(Needed(seeds=1_200, power=0.9999))
    assert needed_text(Needed(seeds=1_200, power=0.29)).startswith("about 1,200 seeds would reach 29 % power")

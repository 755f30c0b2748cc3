import itertools
import math

import numpy as np
import pytest

from stacklab.base.errors import SpecError
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.multiplicity import Method, adjust, holm, look_level
from stacklab.stats.verdict import Rule, verdicts


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert adjust([0.04, 0.01, 0.03, 0.5], method="holm") == pytest.approx([0.09, 0.04, 0.09, 0.5])


def test_benjamini_hochberg_multiplies_by_the_rank_from_above() -> None:
    found = adjust([0.04, 0.01, 0.03, 0.5], method="benjamini-hochberg")
    assert found == pytest.approx([0.16 / 3, 0.04, 0.16 / 3, 0.5])


@pytest.mark.parametrize("method", ["holm", "benjamini-hochberg"])
def test_a_claim_without_p_stays_without_and_counts_as_1(method: Method) -> None:
    found = adjust([0.01, None, 0.6, None], method=method)
    full = adjust([0.01, 1.0, 0.6, 1.0], method=method)
    assert (found[1], found[3]) == (None, None)
    assert (found[0], found[2]) == (full[0], full[2])
    assert adjust([], method=method) == []
    assert adjust([None], method=method) == [None]
    assert adjust([0.03], method=method) == [0.03]


def test_both_against_their_definitions() -> None:
    """Steps down from the smallest (Holm), up from the largest (Benjamini and Hochberg), on null and planted p."""
    rng = np.random.default_rng(1)
    for row in (rng.random((6, 7)) ** rng.choice([1, 4], size=(6, 7))).tolist():
        ranks = [sorted(row).index(p) for p in row]
        holm = [min(1.0, max(q * (7 - k) for k, q in enumerate(sorted(row)) if k <= rank)) for rank in ranks]
        hochberg = [min(min(1.0, q * 7 / (k + 1)) for k, q in enumerate(sorted(row)) if k >= rank) for rank in ranks]
        assert adjust(row, method="holm") == pytest.approx(holm)
        assert adjust(row, method="benjamini-hochberg") == pytest.approx(hochberg)


def test_second_conclusions_against_closed_testing_by_hand() -> None:
    """A null hypothesis is rejected if Bonferroni rejects every intersection with it, of at most one null per claim."""
    claims, rng = 4, np.random.default_rng(2)
    for first, second in rng.random((60, 2, claims)) ** rng.choice([1, 4], size=(60, 2, claims)):
        expected = [first[number] for number in range(claims)]
        for chosen in itertools.product((None, first, second), repeat=claims):
            ps = [one[number] for number, one in enumerate(chosen) if one is not None]
            for number in range(claims):
                if chosen[number] is first:
                    expected[number] = max(expected[number], min(1.0, len(ps) * min(ps)))
        assert holm(first[None], np.maximum(first, second)[None])[0] == pytest.approx(expected)
        assert adjust(first.tolist(), method="holm", leaving=np.maximum(first, second).tolist()) == pytest.approx(
            expected
        )


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="p value 2 of 2"):
        adjust([0.1, bad], method="holm")


PAIRED = COMPARISONS["paired"]


@pytest.mark.parametrize("max_looks", [1, 2, 3, 7, 20])
def test_the_looks_together_spend_the_level_and_no_more(max_looks: int) -> None:
    spent = [look_level(0.05, look, max_looks) for look in range(1, max_looks + 1)]
    assert math.fsum(spent) == pytest.approx(0.05)
    assert math.fsum(spent) <= 0.05 * (1 + 1e-12)
    assert min(spent) > 0


def test_any_choice_among_declared_sizes_keeps_the_level() -> None:
    """The next of six declared sizes where the last look was close, else the largest: no more than all six together."""
    sizes = [3, 4, 6, 9, 13, 20]
    gaps = np.random.default_rng(1).normal(size=(20_000, 20))
    clear, place = np.zeros(len(gaps), dtype=bool), np.zeros(len(gaps), dtype=int)
    for look, count in enumerate(sizes, start=1):
        level = look_level(0.05, look, len(sizes))
        here = gaps[:, :count]
        found = verdicts(here, np.zeros_like(here), by=PAIRED, rule=Rule("lower", level=level))
        clear |= (place == look - 1) & (found != "inconclusive")
        t = np.abs(here.mean(1)) / here.std(1, ddof=1) * count**0.5
        place = np.where(place == look - 1, np.where(t > 1.5, look, len(sizes) - 1), place)
    assert 0.02 < clear.mean() <= 0.05 + 3 * (0.05 * 0.95 / len(gaps)) ** 0.5


@pytest.mark.parametrize(
    ("level", "looks", "max_looks", "reason"),
    [
        (0.05, 2, 1, "look 2: the design declared 1 look and"),
        (0.05, 6, 5, "look 6: the design declared 5 looks and"),
        (0.05, 0, 5, "look 0 of 5"),
        (0.05, 1, 0, "look 1 of 0"),
        (0.0, 1, 5, "level 0"),
        (float("nan"), 1, 5, "level nan"),
    ],
)
def test_a_look_that_was_not_declared_is_refused(level: float, looks: int, max_looks: int, reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        look_level(level, looks, max_looks)

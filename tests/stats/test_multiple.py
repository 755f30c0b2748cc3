import numpy as np
import pytest

from stacklab.stats.multiple import Method, adjust


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


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="p value 2 of 2"):
        adjust([0.1, bad], method="holm")

import numpy as np
import pytest

from stacklab.stats.multiple import benjamini_hochberg, holm
from stacklab.stats.result import PValue, Tested, Undefined


def family(*values: float) -> list[Tested]:
    return [PValue(p=p, n=5, method="t") for p in values]


def adjusted(tests: list[Tested]) -> list[float]:
    return [test.p for test in tests if isinstance(test, PValue)]


def test_holm_as_computed_by_hand() -> None:
    assert adjusted(holm(family(0.04, 0.01, 0.03, 0.5))) == pytest.approx([0.09, 0.04, 0.09, 0.5])


def test_benjamini_hochberg_as_computed_by_hand() -> None:
    found = adjusted(benjamini_hochberg(family(0.04, 0.01, 0.03, 0.5)))
    assert found == pytest.approx([0.04 * 4 / 3, 0.04, 0.04 * 4 / 3, 0.5])


def test_what_is_undefined_stays_and_does_not_count() -> None:
    nothing = Undefined(reason="needs 2 pairs, has 1")
    found = holm([nothing, *family(0.02)])
    assert found[0] == nothing
    assert isinstance(found[1], PValue) and found[1].p == 0.02 and found[1].method == "t, Holm over 1"
    assert holm([nothing]) == [nothing] and holm([]) == []


def test_under_planted_nulls_holm_errs_anywhere_as_seldom_as_it_says() -> None:
    p = np.random.default_rng(0).uniform(size=(400, 6))
    wrong = sum(min(adjusted(holm(family(*row)))) < 0.05 for row in p.tolist())
    assert wrong / 400 < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert sum(min(row) < 0.05 for row in p.tolist()) / 400 > 0.2

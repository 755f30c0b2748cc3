import numpy as np
import pytest
from scipy import stats

from stacklab.stats.calibration.families import critical_value, draw_arms, dunnett_shown, many_arms
from stacklab.stats.calibration.table import LEVEL, Table, above

REPEATS = 3_000


@pytest.fixture(scope="module")
def table() -> Table:
    return many_arms(REPEATS, seed=1)


def test_the_critical_value_is_dunnetts() -> None:
    """His table of 1964, two-sided at 0.05: 16 degrees of freedom and 3 arms, 12 and 2."""
    assert critical_value(3, 5) == pytest.approx(2.59, abs=0.01)
    assert critical_value(2, 5) == pytest.approx(2.50, abs=0.01)


def test_the_decisions_are_scipys() -> None:
    runs = draw_arms("unpaired", 2, np.random.default_rng(3), 30, 4)
    runs[:, 0] += 1.8
    for study, shown in zip(runs, dunnett_shown(runs), strict=True):
        p = stats.dunnett(study[0], study[1], control=study[2], rng=np.random.default_rng(1)).pvalue
        clear = np.abs(p - LEVEL) > 0.002
        assert ((p <= LEVEL) == shown)[clear].all()


def test_the_rule_keeps_the_level_however_arms_scatter_and_dunnett_only_where_they_scatter_alike(table: Table) -> None:
    for row in table.rows:
        assert not above(table.value("false Holm", *row.keys), LEVEL, REPEATS), row
        assert not above(table.value("false Dunnett", *row.keys), LEVEL, REPEATS), row
        assert not above(table.value("wide, false Holm", *row.keys), LEVEL, REPEATS), row
        if row.keys[0] == "unpaired":
            assert above(table.value("wide, false Dunnett", *row.keys), LEVEL, REPEATS), row


def test_dunnett_is_stronger_with_few_seeds_and_no_longer_with_eight_pairs(table: Table) -> None:
    for arms in ("2", "4", "6"):
        few, many = ("paired", arms, "3"), ("paired", arms, "8")
        assert table.value("power Dunnett", *few) > table.value("power Holm", *few) + 0.1
        assert table.value("power Dunnett", *many) < table.value("power Holm", *many) + 0.05

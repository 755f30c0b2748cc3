import pytest

from stacklab.stats.calibration.losses import EFFECTS, SEEDS, looks, paired, unpaired
from stacklab.stats.calibration.noise import NOISES
from stacklab.stats.calibration.table import LEVEL, Table, above
from stacklab.stats.power import difference_power, paired_design, unpaired_design

FAIR = ("normal", "skewed", "heavy tails", "bad seeds")
REPEATS = 2_000


@pytest.fixture(scope="module")
def pairs() -> Table:
    return paired(REPEATS, seed=1)


@pytest.fixture(scope="module")
def groups() -> Table:
    return unpaired(REPEATS, seed=1)


def keeps_the_level(table: Table) -> None:
    for row in table.rows:
        lower, higher = (table.value(f"false {way}", *row.keys) for way in ("lower", "higher"))
        if row.keys[0] in FAIR:
            assert max(lower, higher) < LEVEL / 2 + 4 * (LEVEL / 2 / REPEATS) ** 0.5, row
        if row.keys[0] != "one arm has it all":
            assert not above(lower, LEVEL, REPEATS), row


def test_false_support_stays_at_its_level_for_all_noises_that_both_arms_share(pairs: Table, groups: Table) -> None:
    keeps_the_level(pairs)
    keeps_the_level(groups)
    assert {row.keys for row in pairs.rows} == {(noise, str(n)) for noise in NOISES for n in SEEDS["paired"]}
    assert {row.keys for row in groups.rows} == {(noise, str(n)) for noise in NOISES for n in SEEDS["unpaired"]}
    for row in pairs.rows:
        if row.keys[0] in FAIR:
            assert pairs.value("covers", *row.keys) > 1 - LEVEL - 4 * (LEVEL / REPEATS) ** 0.5, row


def test_normal_noise_has_the_rates_of_theory(pairs: Table, groups: Table) -> None:
    for seeds in SEEDS["paired"]:
        keys = "normal", str(seeds)
        assert pairs.value("false lower", *keys) == pytest.approx(LEVEL / 2, abs=4 * (0.025 / REPEATS) ** 0.5)
        assert pairs.value("covers", *keys) == pytest.approx(1 - LEVEL, abs=4 * (0.0475 / REPEATS) ** 0.5)
        assert pairs.value("false equal", *keys) == pytest.approx(LEVEL, abs=4 * (0.0475 / REPEATS) ** 0.5)
        for effect in EFFECTS:
            expected = difference_power(effect, paired_design(seeds), level=LEVEL)
            assert pairs.value(f"power {effect:g} sd", *keys) == pytest.approx(expected, abs=0.04)
    for seeds in SEEDS["unpaired"][1:]:
        for effect in EFFECTS:
            expected = difference_power(effect, unpaired_design(seeds), level=LEVEL)
            assert groups.value(f"power {effect:g} sd", "normal", str(seeds)) == pytest.approx(expected, abs=0.05)
    assert pairs.value("BCa covers", "normal", "3") < 0.8 < 0.9 < pairs.value("BCa covers", "normal", "20")


def test_noise_of_one_arm_alone_breaks_the_level_and_is_marked(pairs: Table) -> None:
    rows = [row for row in pairs.rows if row.keys[0] == "one arm has it all"]
    assert len(rows) == 5
    assert all(pairs.texts(row)[0].endswith(" !") for row in rows)


def test_looks_keep_the_level_only_under_the_rule() -> None:
    table = looks(REPEATS, seed=1)
    for noise in list(NOISES)[:-1]:
        assert not above(table.value("false, split level", noise), LEVEL, REPEATS), noise
        assert table.value("false, full level each", noise) > 0.1
        assert table.value("power", noise) > 0.85
    assert table.value("false, split and chosen", "normal") > table.value("false, split level", "normal")

"""The power of the seeds as `stacklab plan` prints it."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from tests.study.conftest import TINY

from stacklab.api import load_study
from stacklab.cli.plan import _powers
from stacklab.cli.plan_tables import power_table
from stacklab.stats.power import difference_power, unpaired_design


def printed(table: Table | str, width: int = 100) -> str:
    console = Console(width=width, file=(text := StringIO()))
    console.print(table)
    return " ".join(text.getvalue().split())


def test_a_row_for_each_effect_with_its_power_and_the_seeds_that_it_needs() -> None:
    text = printed(power_table("paired", 3, level=0.05, power=0.8, family=1))
    assert "power of 3 seeds, paired" in text and "power at level 0.05 ┃ seeds for 80%" in text
    for row in ("0.5 │ 8% │ 34", "1 │ 18% │ 10", "2 │ 47% │ 5", "4 │ 91% │ 3"):
        assert f"│ {row} │" in text
    assert "in standard deviations of the paired difference" in text
    assert "With 3 seeds, 80% power needs a difference of 3.3 at level 0.05." in text
    assert "The smallest two-sided p of an exact permutation test is 0.25." in text
    assert "confirmatory" not in text


def test_a_family_of_claims_has_columns_of_its_own() -> None:
    text = printed(power_table("unpaired", 5, level=0.05, power=0.9, family=12))
    assert "power at level 0.05 / 12" in text
    assert "Level 0.05 / 12 is that of the first of 12 confirmatory comparisons (Holm)." in text
    assert "standard deviations of a run" in text
    alone, first = (difference_power(4.0, unpaired_design(5), level=level) for level in (0.05, 0.05 / 12))
    assert alone > 0.99 > first
    assert f"│ 4 │ {alone:.0%} │ 3 │ {first:.0%} │ 5 │" in text


@pytest.mark.parametrize("width", [60, 80])
def test_it_fits_a_terminal(width: int) -> None:
    console = Console(width=width, file=(text := StringIO()))
    console.print(power_table("paired", 3, level=0.05, power=0.8, family=21))
    assert max(map(len, text.getvalue().splitlines())) <= width


def test_the_plan_shows_the_strictest_level_and_the_family(tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.yaml"
    tiny.write_text(TINY)

    def shown(*overrides: str, seeds: tuple[int, ...] = (1, 2, 3)) -> list[str]:
        study = load_study(str(tiny), overrides=overrides, out=tmp_path / "out", seeds=seeds)
        return [printed(table) for table in _powers(study.plan())]

    (usual,) = shown()
    assert "power of 3 seeds, paired" in usual and "Level 0.05 / 2 is that of the first of 2 confirmatory" in usual
    tiny.write_text(TINY.replace("direction: lower", "direction: lower\n    level: 0.01\n    power: 0.9", 1))
    (strict,) = shown()
    assert "level 0.01" in strict and "seeds for 90%" in strict
    assert shown(seeds=(1,)) == ["one seed has neither interval nor power; at least two seeds are needed"]
    second = TINY[TINY.index("  - id: fit") : TINY.index("scales:")].replace("id: fit", "id: other")
    second = second.replace("[shallow, wide]", "[shallow]").replace(
        "direction: lower", "direction: lower\n    primary: true"
    )
    tiny.write_text(TINY.replace("scales:", f"{second}scales:", 1))
    (single,) = shown()
    assert "confirmatory" not in single, "one primary comparison is a family of one"

"""The power of the seeds as `stacklab plan` prints it."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from tests.study.conftest import TINY

from stacklab.api import load_study
from stacklab.cli.plan import _powers
from stacklab.cli.plan_power import power_table


def printed(table: Table | str, width: int = 100) -> str:
    console = Console(width=width, file=(text := StringIO()))
    console.print(table)
    return " ".join(text.getvalue().split())


def test_a_row_for_each_effect_with_its_power_and_the_seeds_that_it_needs() -> None:
    text = printed(power_table("paired", 3, level=0.05, power=0.8))
    assert "paired comparisons at level 0.05: power of 3 seeds" in text
    for row in ("0.5 │ 8% │ 34", "1 │ 18% │ 10", "2 │ 47% │ 5", "4 │ 91% │ 3"):
        assert f"│ {row} │" in text
    assert "with 3 seeds, 80% power needs a difference of at least 3.3 standard deviations of the paired" in text
    assert "the smallest two-sided p of an exact permutation test is 0.25" in text


def test_unpaired_runs_and_a_split_level_have_their_own_numbers() -> None:
    text = printed(power_table("unpaired", 5, level=0.05 / 12, power=0.9))
    assert "unpaired comparisons at level 0.00417: power of 5 seeds" in text
    assert "seeds for 90% power" in text
    assert "standard deviations of a run" in text
    assert "│ 4 │ 96% │ 5 │" in text


@pytest.mark.parametrize("width", [60, 80])
def test_it_fits_a_terminal(width: int) -> None:
    console = Console(width=width, file=(text := StringIO()))
    console.print(power_table("paired", 3, level=0.05, power=0.8))
    assert max(map(len, text.getvalue().splitlines())) <= width


def test_the_plan_shows_the_strictest_level_of_each_kind_of_comparison(tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.yaml"
    tiny.write_text(TINY)

    def shown(*overrides: str, seeds: tuple[int, ...] = (1, 2, 3)) -> list[str]:
        study = load_study(str(tiny), overrides=overrides, out=tiny.parent / "out", seeds=seeds)
        return [printed(table) for table in _powers(study.plan())]

    (usual,) = shown()
    assert "paired comparisons at level 0.05: power of 3 seeds" in usual
    tiny.write_text(
        tiny.read_text().replace("direction: lower", "direction: lower\n    level: 0.01\n    power: 0.9", 1)
    )
    (strict,) = shown()
    assert "level 0.01" in strict and "seeds for 90% power" in strict
    assert shown(seeds=(1,)) == ["one seed has neither interval nor power; at least two seeds are needed"]

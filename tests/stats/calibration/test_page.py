"""docs/statistics.md and docs/reviewing.md against the code."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from stacklab.stats.calibration.exact import accuracies, constants
from stacklab.stats.calibration.table import Row, Table
from stacklab.stats.verdict import Verdict

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "statistics.md").read_text()


def cells(line: str) -> list[str]:
    return [cell.strip().strip("*") for cell in line.strip("|").split("|")]


def numbers_of(table: Table, row: Row) -> list[str]:
    """The printed numbers of a row, without the mark that the page writes as bold."""
    return [text.removesuffix(" !") for text in table.texts(row)]


@pytest.mark.parametrize("simulation", [accuracies, constants])
def test_the_exact_tables_of_the_page_are_those_of_the_command(simulation: Callable[[int, int], Table]) -> None:
    table = simulation(0, 0)
    heading = "| " + " | ".join([*table.keys, *(column.heading for column in table.columns)]) + " |"
    shown = PAGE[PAGE.index(heading) :].splitlines()[2 : 2 + len(table.rows)]
    numbers = [cells(line)[len(table.keys) :] for line in shown]
    assert numbers == [numbers_of(table, row) for row in table.rows]


def test_every_word_of_a_verdict_is_explained() -> None:
    words = {"negligible": "smaller than what matters"}
    promised = PAGE[PAGE.index("## What each word promises") : PAGE.index("## The rule")]
    for verdict in (*get_args(Verdict), "suggestive", "invalid"):
        assert f"| {words.get(verdict, verdict)}" in promised, verdict


@pytest.mark.parametrize("page", ["statistics.md", "reviewing.md"])
def test_links_lead_to_headings(page: str) -> None:
    text = (DOCS / page).read_text()
    for name, anchor in re.findall(r"\]\(([\w./-]*\.md)?#([\w-]+)\)", text):
        target = (DOCS / (name or page)).read_text()
        anchors = {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", target, re.MULTILINE)
        }
        assert anchor in anchors, f"{page}: {name}#{anchor}"

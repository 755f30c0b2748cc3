"""Sections: every kind of block is written by both pages, in the order of the registry; an unknown kind is refused."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from jinja2 import UndefinedError

from stacklab.report.facts.build import Facts, build_facts
from stacklab.report.format.table import CsvTable, TextTable, text_row
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.pages.write import render_html
from stacklab.report.sections.registry import SECTIONS, csv_files, figures, sections
from stacklab.report.sections.section import Bullets, Details, Heading, Paragraph, Section, TableBlock
from tests.report.conftest import MakeStudy, gridded_tree


@dataclass(frozen=True)
class Hologram:
    kind: ClassVar[str] = "hologram"


@pytest.fixture
def facts(make_study: MakeStudy) -> Facts:
    return build_facts(make_study(seeds=(1,)))


def test_a_block_of_an_unknown_kind_is_refused(facts: Facts) -> None:
    strange = (Section("new", "New", (Hologram(),)),)
    with pytest.raises(UndefinedError, match="hologram"):
        render_html(facts, strange)
    with pytest.raises(KeyError, match="hologram"):
        render_markdown(facts, strange)


def test_both_pages_write_every_block_in_order_and_escape_it(facts: Facts) -> None:
    blocks = (
        Heading("one <b>"),
        Paragraph("two <b>", soft=True),
        Bullets(("three <b>",)),
        TableBlock(TextTable(text_row("four <b>"), ())),
        Details("five <b>", (Paragraph("six <b>"),)),
    )
    section = Section("new", "New <b>", blocks, nav="N <b>", lead=("lead <b> ", "a/file.csv", " end"))
    html, markdown = render_html(facts, [section]), render_markdown(facts, [section])
    for page in (html, markdown):
        places = [page.index(f"{word} &lt;b") for word in ("lead", "one", "two", "three", "four", "five", "six")]
        assert places == sorted(places)
        assert "<b>" not in page.partition("New &lt;b")[2]
    assert '<a href="#new">N &lt;b&gt;</a>' in html and '<section id="new">' in html
    assert "<code>a/file.csv</code>" in html and "`a/file.csv`" in markdown


def test_sections_appear_in_the_order_of_the_registry_and_empty_ones_not_at_all(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=gridded_tree()))
    made = sections(facts)
    html, markdown = render_html(facts, made), render_markdown(facts, made)
    titles = [section.title for section in made if section.blocks]
    assert [html.index(f"<h2>{title}</h2>") for title in titles] == sorted(
        html.index(f"<h2>{title}</h2>") for title in titles
    )
    assert [line[3:] for line in markdown.splitlines() if line.startswith("## ")] == [
        title.replace("-", "\\-") for title in titles
    ]
    assert len(made) <= len(SECTIONS)


def test_names_of_sections_figures_and_csv_files_are_used_once(make_study: MakeStudy) -> None:
    made = sections(build_facts(make_study(tree=gridded_tree())))
    names = [section.name for section in made]
    tables = [table.name for section in made for table in section.csv]
    assert len(set(names)) == len(names) and len(set(tables)) == len(tables)
    assert {"maps", "curves", "overlay", "trend", "learning_rates"} <= set(figures(made))


def test_a_csv_file_without_rows_has_its_heads(facts: Facts) -> None:
    empty = facts.model_copy(update={"contrasts": (), "tuning": (), "cells": (), "source": None, "runs": ()})
    files = csv_files(sections(empty))
    for name in ("claims.csv", "pairs.csv", "tuning.csv", "cells.csv", "reported.csv", "training_log.csv"):
        (heads,) = files[name].splitlines()
        assert heads.startswith(("comparison,", "arm,"))


def test_csv_keeps_digits_counts_and_gaps() -> None:
    rows = [(0.1 + 0.2, 3, True, None), (1e-300, None, False, "a,b")]
    table = CsvTable(
        "t.csv",
        rows,
        {"float": lambda r: r[0], "count": lambda r: r[1], "flag": lambda r: r[2], "text": lambda r: r[3]},
    )
    assert table.text() == 'float,count,flag,text\n0.30000000000000004,3,True,\n1e-300,,False,"a,b"\n'

"""The report's folder: <study>/report/ with index.html, report.md, figures/, tables/ and facts.json.

index.html needs nothing but itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from stacklab.audit.spec import Audit
from stacklab.base.files import read_text, write_json, write_text
from stacklab.base.folders import inner_folder
from stacklab.base.text import visible
from stacklab.base.units import confidence
from stacklab.report.drawing.csv import figure_csv
from stacklab.report.drawing.matplotlib import draw, save
from stacklab.report.drawing.plotly import plotly_panel
from stacklab.report.facts.build import Facts, build_facts
from stacklab.report.format import numbers
from stacklab.report.format.verdicts import mark_of, values_text, why
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.pages.page import page_facts
from stacklab.report.sections.claims.forest_plot import ForestBlock, draw_forest
from stacklab.report.sections.registry import csv_files, figures, sections, unfolded
from stacklab.report.sections.samples import copied
from stacklab.report.sections.section import Section
from stacklab.study.results.results import StudyResult

ASSETS = Path(str(files("stacklab.report.pages") / "assets"))
TEMPLATES = Path(str(files("stacklab.report.pages") / "templates"))
BUNDLE = "plotly-cartesian.min.js"


def render_html(facts: Facts, sections: Sequence[Section]) -> str:
    """The page. Every text is escaped; only the bundle, the style, the script and `script_json` are marked as safe."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stacklab.report.pages"),
        autoescape=True,
        # A Markup is escaped already; the characters in it are those of texts that came through here.
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    panels = {
        f"{name}-{index}": plotly_panel(panel)
        for name, figure in figures(sections).items()
        for index, panel in enumerate(figure.panels)
    }
    return environment.get_template("report.html.j2").render(
        **page_facts(facts, sections),
        numbers=numbers,
        mark_of=mark_of,
        confidence=confidence,
        why=why,
        values_text=values_text,
        copied=copied,
        style=read_text(TEMPLATES / "style.css"),
        script=read_text(TEMPLATES / "draw.js"),
        bundle=read_text(ASSETS / BUNDLE) if panels else "",
        panels=script_json(panels),
    )


def script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in.

    >>> script_json("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return encoded


REPORT = "report"


@dataclass(frozen=True)
class ReportPaths:
    folder: Path

    @property
    def html(self) -> Path:
        return self.folder / "index.html"

    @property
    def markdown(self) -> Path:
        return self.folder / "report.md"

    @property
    def summary(self) -> Path:
        return self.folder / "summary.txt"

    @property
    def facts(self) -> Path:
        return self.folder / "facts.json"

    @property
    def schema(self) -> Path:
        return self.folder / "facts.schema.json"

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def tables(self) -> Path:
        return self.folder / "tables"


def write_report(result: StudyResult, audit: Audit | None = None) -> ReportPaths:
    """Write the report anew beside the study's plan; index.html comes last, so that it never names a missing file.

    audit: of the source's log, to stand beside what was reproduced.

    Raises DataError for a damaged file of a run, DiskError when the disk is full.
    """
    paths = ReportPaths(inner_folder(result.folder, REPORT))
    for inner in (paths.figures, paths.tables):
        inner_folder(result.folder, REPORT, inner.name)
    facts = build_facts(result, audit)
    made = sections(facts)
    write_json(paths.facts, facts.dump())
    write_json(paths.schema, Facts.model_json_schema())
    for name, text in csv_files(made).items():
        write_text(paths.tables / name, text)
    _write_pictures(paths.figures, made)
    write_text(paths.summary, facts.summary + "\n")
    write_text(paths.markdown, render_markdown(facts, made))
    write_text(paths.html, render_html(facts, made))
    return paths


def _write_pictures(folder: Path, made: Sequence[Section]) -> None:
    """Pictures of an earlier report that this one does not have are removed."""
    drawn = figures(made)
    drawings = {name: draw(figure) for name, figure in drawn.items()}
    for section in made:
        for block in unfolded(section.blocks):
            if isinstance(block, ForestBlock):
                drawings[block.name] = draw_forest(block.groups)
    for name, drawing in drawings.items():
        save(drawing, folder, name)
    for name, figure in drawn.items():
        write_text(folder / f"{name}.csv", figure_csv(figure))
    for path in folder.glob("*.*") if folder.is_dir() else ():
        if path.stem not in drawings:
            path.unlink()

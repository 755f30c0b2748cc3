"""Facts and sections -> one HTML page that needs nothing but itself."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from stacklab.base.text import visible
from stacklab.report.drawing.plotly import plotly_panel
from stacklab.report.facts.build import Facts
from stacklab.report.format import numbers
from stacklab.report.format.verdicts import MARKS, values_text, why
from stacklab.report.pages.page import page_facts
from stacklab.report.sections.registry import figures
from stacklab.report.sections.samples import copied
from stacklab.report.sections.section import Section

ASSETS = files("stacklab.report.pages") / "assets"
TEMPLATES = files("stacklab.report.pages") / "templates"
BUNDLE = "plotly-cartesian.min.js"


def render_html(facts: Facts, sections: Sequence[Section]) -> str:
    """The page. Every text is escaped; only the bundle, the style, the script and `script_json` are marked as safe."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stacklab.report.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    panels = {
        f"{name}-{index}": plotly_panel(panel)
        for name, figure in figures(sections).items()
        for index, panel in enumerate(figure.panels)
    }
    return environment.get_template("report.html.j2").render(
        **page_facts(facts, sections),
        numbers=numbers,
        marks=MARKS,
        why=why,
        values_text=values_text,
        copied=copied,
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        script=(TEMPLATES / "draw.js").read_text(encoding="utf-8"),
        bundle=(ASSETS / BUNDLE).read_text(encoding="utf-8") if panels else "",
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

"""Facts and sections -> Markdown with links to the pictures beside it.

Every expression of the template is escaped unless it is `Verbatim`.
"""

from collections.abc import Sequence

from stacklab.report.facts.build import Facts
from stacklab.report.pages.markdown_blocks import Verbatim, escape, markdown_blocks, markdown_prose
from stacklab.report.pages.page import page_facts
from stacklab.report.sections.section import Section


def render_markdown(facts: Facts, sections: Sequence[Section]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stacklab.report.pages"),
        autoescape=False,
        finalize=lambda value: value if isinstance(value, Verbatim) else escape(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(blocks=markdown_blocks, prose=markdown_prose)
    text = environment.get_template("report.md.j2").render(**page_facts(facts, sections))
    return text.rstrip() + "\n"

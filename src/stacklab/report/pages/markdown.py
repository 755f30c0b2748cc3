"""Facts -> Markdown with links to the pictures beside it. Every expression of the template is escaped unless marked."""

import re

from stacklab.base.text import visible
from stacklab.report.drawing.figure import Figure
from stacklab.report.facts.architecture import Architecture, Part
from stacklab.report.facts.build import Facts
from stacklab.report.format import numbers as text
from stacklab.report.sections.page import context
from stacklab.report.sections.tables import Cell, Table

SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")


class Verbatim(str):
    """Markdown that we made ourselves."""


def render_markdown(facts: Facts, figures: dict[str, Figure]) -> str:
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
    environment.globals.update(pipe_table=pipe_table, fenced=fenced, diagram=diagram)
    return environment.get_template("report.md.j2").render(**context(facts, figures), text=text)


def escape(given: str) -> str:
    """Text that neither Markdown nor the HTML in it can read as anything but text, on one line.

    >>> escape("a_b <i> | c")
    'a\\\\_b &lt;i&gt; \\\\| c'
    """
    joined = " ".join(given.split("\n"))
    return SPECIAL.sub(r"\\\1", joined.replace("&", "&amp;").replace("<", "&lt;")).replace("\\>", "&gt;")


def fenced(given: str) -> Verbatim:
    """A block of code whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", given)), default=0)
    fence = "`" * max(3, longest + 1)
    return Verbatim(f"{fence}text\n{visible(given)}\n{fence}")


def pipe_table(table: Table) -> Verbatim:
    rows = [_pipe_row(table.heads), "|" + " --- |" * len(table.heads)]
    for index, row in enumerate(table.rows):
        for start, name in table.sections:
            if start == index:
                rows.append(f"| **{escape(name)}** |" + " |" * (len(table.heads) - 1))
        rows.append(_pipe_row(row))
    return Verbatim("\n".join([*rows, *(f"\n{escape(note)}" for note in table.notes)]))


def diagram(stack: Architecture, total: int) -> Verbatim:
    """The stack as a column of text."""
    lines = ["tokens"]
    lines += [line for part in stack.before for line in ("  │", _part_line("  ", part))]
    lines += ["  │", f"  ┌─ {stack.repeat} × block".ljust(52) + f"{stack.block_parameters:>16,}"]
    lines += [_part_line("  │  ", part) for part in stack.block]
    lines.append("  └─")
    lines += [line for part in stack.after for line in ("  │", _part_line("  ", part))]
    return fenced("\n".join([*lines, "  │", "logits", "total".ljust(52) + f"{total:>16,}"]))


def _part_line(indent: str, part: Part) -> str:
    if part.name == "add":
        return f"{indent}+ {part.detail}"
    line = f"{indent}{part.name}, {part.detail}"
    return line if part.parameters is None else f"{line.ljust(52)}{part.parameters:>16,}"


def _pipe_row(cells: tuple[Cell, ...]) -> str:
    return "| " + " | ".join(_pipe_cell(cell) for cell in cells) + " |"


def _pipe_cell(cell: Cell) -> str:
    return escape(cell.text) + (f" ({escape(cell.note)})" if cell.note else "")

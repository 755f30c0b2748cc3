"""Facts and sections -> Markdown with links to the pictures beside it.

One function per kind of block; a kind without one is refused. Every expression of the template is escaped unless it is
`Verbatim`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stacklab.base.text import visible
from stacklab.report.facts.architecture import Architecture, Part
from stacklab.report.facts.build import Facts
from stacklab.report.facts.history import Sample
from stacklab.report.format.table import TextCell, TextRow, TextTable
from stacklab.report.pages.page import page_facts
from stacklab.report.sections.claims.forest_plot import ForestBlock
from stacklab.report.sections.log import LogBlock
from stacklab.report.sections.samples import SamplesBlock, copied
from stacklab.report.sections.section import (
    Block,
    Bullets,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Prose,
    Section,
    TableBlock,
)
from stacklab.report.sections.setup.architecture import StacksBlock

SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$>-]|:(?=[\w+-]+:))")
"""Marks of Markdown; `$` begins a formula and `:name:` is an emoji where GitHub shows it."""


class Verbatim(str):
    """Markdown that was made here, not to be escaped again."""


def markdown_blocks(blocks: Iterable[Block]) -> Verbatim:
    """The blocks, an empty line between them. Raises KeyError for a kind that is not listed."""
    return Verbatim("\n\n".join(WRITERS[block.kind](block) for block in blocks))


def markdown_prose(prose: Prose) -> Verbatim:
    pieces = (prose,) if isinstance(prose, str) else prose
    return Verbatim("".join(code(piece) if index % 2 else escape(piece) for index, piece in enumerate(pieces)))


def escape(text: str) -> str:
    """Text that neither Markdown nor the HTML in it can read as anything but text, on one line.

    >>> escape("a_b <i> | c")
    'a\\\\_b &lt;i&gt; \\\\| c'
    """
    joined = visible(" ".join(text.split("\n")))
    return SPECIAL.sub(r"\\\1", joined.replace("&", "&amp;").replace("<", "&lt;")).replace("\\>", "&gt;")


def fenced(text: str) -> Verbatim:
    """A block of code."""
    fence = _fence(text, 3)
    return Verbatim(f"{fence}text\n{visible(text)}\n{fence}")


def code(text: str) -> str:
    """Code within a line.

    >>> code("a"), code("`b")
    ('`a`', '`` `b ``')
    """
    fence, blank = _fence(text, 1), " " if "`" in text else ""
    return f"{fence}{blank}{visible(' '.join(text.split()))}{blank}{fence}"


def _fence(text: str, least: int) -> str:
    """More backticks than any run of them in the text."""
    return "`" * max(least, 1 + max((len(run) for run in re.findall("`+", text)), default=0))


def pipe_table(table: TextTable) -> Verbatim:
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


def _pipe_row(cells: TextRow) -> str:
    return "| " + " | ".join(_pipe_cell(cell) for cell in cells) + " |"


def _pipe_cell(cell: TextCell) -> str:
    return escape(cell.text) + (f" ({escape(cell.note)})" if cell.note else "")


def _figure(block: FigureBlock) -> str:
    figure = block.figure
    return f"![{escape(figure.title)}](figures/{figure.name}.png)\n\n{escape(figure.caption)}"


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>\n\n{content}\n\n</details>"


def _forest(block: ForestBlock) -> str:
    return f"{pipe_table(block.verdicts)}\n\n![The differences with their intervals](figures/{block.name}.png)"


def _stacks(block: StacksBlock) -> str:
    return "\n\n".join(f"**{escape(card.label)}**\n\n{diagram(card.stack, card.parameters)}" for card in block.cards)


def _logs(block: LogBlock) -> str:
    cards = ((f"{card.label}, seed {card.seed}", card.table) for card in block.cards)
    return "\n\n".join(_details(title, pipe_table(table)) for title, table in cards if table is not None)


def _samples(block: SamplesBlock) -> str:
    return "\n\n".join(
        f"**{escape(card.label)}**, seed {card.seed}. Prompt, before, after:\n\n{_sample(sample)}"
        for card in block.cards
        for sample in card.samples
    )


def _sample(sample: Sample) -> str:
    texts = [sample.prompt, sample.before, sample.after]
    absent = ("", "–", "– (the run did not finish)")
    parts = [fenced(none if text is None else text) for text, none in zip(texts, absent, strict=True)]
    if sample.novelty:
        parts.append(Verbatim(escape(copied(sample.novelty))))
        if sample.novelty.longest_copy:
            parts.append(fenced(sample.novelty.longest_copy_text))
    return "\n\n".join(parts)


WRITERS: dict[str, Callable[[Any], str]] = {
    Heading.kind: lambda block: f"### {escape(block.text)}",
    Paragraph.kind: lambda block: escape(block.text),
    Bullets.kind: lambda block: "\n".join(f"- {escape(line)}" for line in block.lines),
    TableBlock.kind: lambda block: pipe_table(block.table),
    FigureBlock.kind: _figure,
    Details.kind: lambda block: _details(block.summary, markdown_blocks(block.blocks)),
    ForestBlock.kind: _forest,
    StacksBlock.kind: _stacks,
    LogBlock.kind: _logs,
    SamplesBlock.kind: _samples,
}


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

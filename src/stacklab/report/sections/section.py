"""A section of the report as a value: what it shows, in order, and the CSV files that hold its numbers.

Both templates choose how to write a block by its `kind`; a kind that a template does not know is refused. Blocks that
one section alone has are defined beside it.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from stacklab.report.drawing.figure import Figure
from stacklab.report.format.table import CsvTable, TextTable

Prose = str | tuple[str, ...]
"""A text, or pieces of it, of which every second one is code: the name of a file."""


class Block(Protocol):
    """A piece of a section."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Heading:
    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Paragraph:
    kind: ClassVar[str] = "paragraph"
    text: str
    soft: bool = False
    """In the colour of notes."""


@dataclass(frozen=True)
class Bullets:
    kind: ClassVar[str] = "bullets"
    lines: tuple[str, ...]


@dataclass(frozen=True)
class TableBlock:
    """style: classes of the page's style sheet. dots: the colours of the columns after the first; empty shows none."""

    kind: ClassVar[str] = "table"
    table: TextTable
    style: str = ""
    dots: tuple[str, ...] = ()


@dataclass(frozen=True)
class FigureBlock:
    kind: ClassVar[str] = "figure"
    figure: Figure


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away until a reader opens them."""

    kind: ClassVar[str] = "details"
    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Section:
    """A part of the report. Without blocks it does not appear; its CSV files are written all the same.

    name: its anchor in the page. nav: its title in the contents, where that is shorter. lead: what a reader must know
    first.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]
    nav: str = ""
    lead: Prose = ""
    csv: tuple[CsvTable[Any], ...] = ()


def shown(*blocks: Block | None) -> tuple[Block, ...]:
    """The blocks that there are."""
    return tuple(block for block in blocks if block is not None)


def single_figure(figure: Figure | None, *, nav: str = "") -> Section | None:
    """A section of one figure, with its name and title; None where there is none."""
    return None if figure is None else Section(figure.name, figure.title, (FigureBlock(figure),), nav=nav)


def figure_block(figure: Figure | None) -> FigureBlock | None:
    return None if figure is None else FigureBlock(figure)

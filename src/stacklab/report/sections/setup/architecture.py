"""The stack of every arm as built."""

from dataclasses import dataclass
from typing import ClassVar

from stacklab.report.facts.architecture import Architecture
from stacklab.report.facts.build import Facts
from stacklab.report.format.palette import color_of
from stacklab.report.sections.section import Section


@dataclass(frozen=True)
class StackCard:
    label: str
    color: str
    stack: Architecture
    parameters: int


@dataclass(frozen=True)
class StacksBlock:
    kind: ClassVar[str] = "stacks"
    cards: tuple[StackCard, ...]


def architecture(facts: Facts) -> Section:
    cards = [StackCard(arm.label, color_of(arm), arm.architecture, arm.total_parameters) for arm in facts.arms]
    return Section(
        name="architecture",
        title="Architecture as built",
        nav="Architecture",
        lead="With the number of parameters of each part. Those of the blocks are of all blocks together.",
        blocks=(StacksBlock(tuple(cards)),),
    )

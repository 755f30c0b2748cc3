"""Samples before and after training, and how much of them the training split holds."""

from dataclasses import dataclass
from typing import ClassVar

from stacklab.data.novelty import Novelty
from stacklab.report.facts.build import Facts
from stacklab.report.facts.history import Sample
from stacklab.report.format.numbers import alone
from stacklab.report.format.palette import color_of
from stacklab.report.sections.log import shown_runs
from stacklab.report.sections.section import Section


@dataclass(frozen=True)
class SampleCard:
    label: str
    color: str
    seed: int | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class SamplesBlock:
    kind: ClassVar[str] = "samples"
    cards: tuple[SampleCard, ...]


def samples(facts: Facts) -> Section | None:
    """None where no run has left a sample."""
    cards = tuple(
        SampleCard(arm.label, color_of(arm), run.seed if run else None, run.samples if run else ())
        for arm, run in shown_runs(facts)
    )
    if not any(card.samples for card in cards):
        return None
    return Section("samples", "Samples before and after training", (SamplesBlock(cards),), nav="Samples")


def copied(novelty: Novelty) -> str:
    """How much of a text is in the training split.

    >>> copied(Novelty(tokens=60, longest_copy=12, longest_copy_text="a dog", shares=(1, 1, 0.9, 0.75, 0.5, 0, 0, 0)))
    'in the training split: 75.0 % of its 4-grams; longest copied span: 12 of its 60 tokens'
    """
    share = novelty.shares[3]
    grams = "" if share is None else f"{alone('share', share)} of its 4-grams; "
    return f"in the training split: {grams}longest copied span: {novelty.longest_copy} of its {novelty.tokens} tokens"

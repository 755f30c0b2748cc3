"""What both templates read: the facts, the sections that have blocks, the tally, the notice on a scale that only
demonstrates, the unfinished runs, and what stands before the verdicts about the ledger."""

from collections.abc import Sequence
from typing import Any

from stacklab.report.facts.build import Facts
from stacklab.report.format.remarks import remark_lines
from stacklab.report.format.verdicts import demonstration_text
from stacklab.report.sections.claims.claims import tally
from stacklab.report.sections.section import Section
from stacklab.study.results.collect import UNUSABLE


def page_facts(facts: Facts, sections: Sequence[Section]) -> dict[str, Any]:
    return {
        "facts": facts,
        "sections": [section for section in sections if section.blocks],
        "tally": tally(facts),
        "demonstration": demonstration_text(facts.scale.name) if facts.scale.demonstration else "",
        "unfinished": [run for run in facts.runs if run.status not in ("finished", *UNUSABLE)],
        "remarks": remark_lines(facts.remarks),
    }

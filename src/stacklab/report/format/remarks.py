"""Remarks on the ledger as printed, on the terminal and before the verdicts of a page."""

from collections.abc import Iterable

from stacklab.study.results.ledger.remark import Remark


def remark_lines(remarks: Iterable[Remark]) -> tuple[str, ...]:
    """A line per remark: what it is about, and what happened."""
    return tuple(f"{remark.about}: {remark.text}" if remark.about else remark.text for remark in remarks)

"""The ledger: when each claim was entered, what changed since, and every verdict."""

from stacklab.report.facts.build import Facts
from stacklab.report.facts.ledger import LedgerFact
from stacklab.report.format.numbers import NOTHING
from stacklab.report.format.remarks import remark_lines
from stacklab.report.format.table import CsvTable, TextTable, text_row
from stacklab.report.sections.section import Bullets, Details, Section, TableBlock, shown


def ledger(facts: Facts) -> Section:
    table = TableBlock(ledger_table(facts), "long")
    history = Details(f"All {len(facts.ledger)} entries", (table,)) if facts.ledger else None
    noted = Bullets(remark_lines(facts.remarks)) if facts.remarks else None
    return Section(
        name="ledger",
        title="Ledger",
        lead=_lead(facts) if facts.contrasts else "",
        blocks=shown(noted, history),
        csv=(_csv(facts),),
    )


def ledger_table(facts: Facts) -> TextTable:
    rows = [
        text_row(
            row.entered[:19].replace("T", " "),
            row.comparison,
            row.event,
            NOTHING if row.seen is None else str(row.seen),
            row.version or NOTHING,
        )
        for row in facts.ledger
    ]
    return TextTable(text_row("Entered (UTC)", "Comparison", "What", "Runs evaluated before", "Version"), tuple(rows))


def _lead(facts: Facts) -> str:
    before = sum(not contrast.afterthought for contrast in facts.contrasts)
    return (
        f"{before} of {len(facts.contrasts)} comparisons stand as they were entered before any of their runs was "
        "evaluated. It knows this output folder, those beside it and those that the same user ran on this machine."
    )


def _csv(facts: Facts) -> CsvTable[LedgerFact]:
    return CsvTable(
        "ledger.csv",
        facts.ledger,
        {
            "entered": lambda row: row.entered,
            "comparison": lambda row: row.comparison,
            "event": lambda row: row.event,
            "seen_runs": lambda row: row.seen,
            "version": lambda row: row.version,
            "commit": lambda row: row.commit,
        },
    )

"""Where the numbers come from: batches, runs, software, machine and data."""

from collections.abc import Callable

from stacklab.base.units import duration, plain
from stacklab.report.facts.build import Facts
from stacklab.report.facts.history import RunFact
from stacklab.report.facts.provenance import OrderFact
from stacklab.report.format.numbers import NOTHING, alone
from stacklab.report.format.table import Columns, CsvTable, TextCell, TextTable, text_row
from stacklab.report.sections.section import Block, Details, Heading, Paragraph, Section, TableBlock

DATA_TITLES = {
    "source.name": "source",
    "records.read": "records read",
    "records.duplicates": "exact duplicates dropped",
    "records.train": "records for training",
    "records.validation": "records for validation",
    "held_out": "validation is",
    "splits.train.tokens": "tokens for training",
    "splits.validation.tokens": "tokens for validation",
    "splits.train.blocks": "training blocks",
    "splits.validation.blocks": "validation blocks",
    "splits.train.tokens_per_epoch": "tokens of an epoch",
    "splits.train.bytes_per_token": "bytes per token",
    "tokenizer.name": "tokenizer",
    "tokenizer.hash": "hash of the tokenizer",
    "vocab_size": "ids in the vocabulary",
    "splits.train.ids_used": "ids that the training split uses",
}


def provenance(facts: Facts) -> Section:
    software: Block = Paragraph("No run has recorded its provenance.")
    if facts.provenance:
        software = TableBlock(provenance_table(facts), "long")
    manifest = "The whole manifest of the prepared data" + (" of the base" if len(facts.datasets) != 1 else "")
    return Section(
        name="provenance",
        title="Provenance",
        lead=orders_sentence(facts.orders),
        blocks=(
            Details("Order of batches, by seed", (TableBlock(order_table(facts)),)),
            Heading("Runs"),
            TableBlock(run_table(facts)),
            Heading("Software and machine"),
            software,
            Heading("Data"),
            TableBlock(data_summary(facts), "long"),
            Details(manifest, (TableBlock(data_table(facts), "settings long"),)),
        ),
        csv=(_runs_csv(facts),),
    )


def orders_sentence(orders: tuple[OrderFact, ...]) -> str:
    """Whether the arms that share their data saw the same batches; arms of other tasks have other batches."""
    compared = [order for order in orders if order.equal is not None]
    if not compared:
        return "No seed has two finished arms that share their data, so there are no batch orders to compare."
    unequal = [str(order.seed) for order in compared if not order.equal]
    if unequal:
        return f"Arms that share their data did not see the same batches at seed {', '.join(unequal)}."
    seeds = "At the one seed compared" if len(compared) == 1 else f"At each of {len(compared)} seeds"
    return f"{seeds} all finished arms that share their data saw the same batches in the same order."


def run_table(facts: Facts) -> TextTable:
    rows = []
    for run in facts.runs:
        seconds = run.timing.get("train_seconds")
        time = NOTHING if seconds is None else duration(seconds)
        ended = TextCell(run.status, run.reason)
        rows.append((*text_row(run.label, str(run.seed)), ended, *text_row(f"{run.step:,}", time, run.run_id)))
    return TextTable(text_row("Arm", "Seed", "Ended", "Steps", "Time", "Run id"), tuple(rows))


def order_table(facts: Facts) -> TextTable:
    """Whether paired runs saw the same batches."""
    words = {True: "yes", False: "no", None: "nothing to compare"}
    rows = [text_row(str(row.seed), str(row.arms), words[row.equal], ", ".join(row.hashes)) for row in facts.orders]
    return TextTable(text_row("Seed", "Arms finished", "Same batches", "Hash of the order"), tuple(rows))


def provenance_table(facts: Facts) -> TextTable:
    rows = []
    for row in facts.provenance:
        several = len(row.values) > 1
        values = (f"{value} ({number} runs)" if several else value for value, number in row.values.items())
        rows.append(text_row(row.key, "; ".join(values)))
    return TextTable(text_row("What", "Value"), tuple(rows))


def data_table(facts: Facts) -> TextTable:
    rows = [text_row("fingerprint", facts.data_fingerprint)]
    rows += [text_row(path, plain(value)) for path, value in facts.data.items() if path != "fingerprint"]
    return TextTable(text_row("What", "Value"), tuple(rows))


def data_summary(facts: Facts) -> TextTable:
    """The main numbers of the manifest, as far as it has them. Where arms have data of their own, all data with their
    settings and arms."""
    if [one.data_fingerprint for one in facts.datasets] != [facts.data_fingerprint]:
        return _several_data(facts)
    rows = [text_row(title, plain(facts.data[path])) for path, title in DATA_TITLES.items() if path in facts.data]
    if isinstance(share := facts.data.get("splits.train.share_of_ids_used"), float):
        rows.append(text_row("share of the ids that it uses", alone("share", share)))
    if facts.epochs is not None:
        rows.append(text_row("epochs that a run trains for", f"{facts.epochs:.3g}"))
    rows.append(text_row("fingerprint of the prepared data", facts.data_fingerprint))
    return TextTable(text_row("What", "Value"), tuple(rows))


def _several_data(facts: Facts) -> TextTable:
    rows = []
    for one in facts.datasets:
        settings = ", ".join(f"{name} {plain(value)}" for name, value in one.settings.items() if name != "kind")
        arms = f"{len(one.arms)}: {', '.join(one.arms)}"
        rows.append(text_row(one.name, settings or NOTHING, arms, one.data_fingerprint))
    return TextTable(text_row("Data", "Settings", "Arms", "Fingerprint"), tuple(rows))


def _runs_csv(facts: Facts) -> CsvTable[RunFact]:
    """A run a row, with every metric and time that any run has."""
    columns: Columns[RunFact] = {
        "arm": lambda run: run.arm,
        "label": lambda run: run.label,
        "seed": lambda run: run.seed,
        "run_id": lambda run: run.run_id,
        "status": lambda run: run.status,
        "reason": lambda run: run.reason,
        "step": lambda run: run.step,
        "batches": lambda run: run.batches,
    }
    names = dict.fromkeys(name for run in facts.runs for name in (*run.metrics, *run.timing))
    values: Columns[RunFact] = {name: _measured(name) for name in names}
    return CsvTable("runs.csv", facts.runs, {**columns, **values})


def _measured(name: str) -> Callable[[RunFact], float | None]:
    return lambda run: (run.metrics | run.timing).get(name)

"""The report's tables as text: one for HTML and Markdown alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from stacklab.base.units import duration, plain
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.facts.history import LogRow, RunFact
from stacklab.report.format.numbers import (
    NOTHING,
    alone,
    compact,
    difference_text,
    interval_text,
    measure_text,
    percent,
    signed,
)
from stacklab.report.format.verdicts import MARKS, values_text, why
from stacklab.report.sections.forest_plot import Strip
from stacklab.run.metrics import SIZE, Metric
from stacklab.stats.result import Undefined

MOST_LOG_ROWS = 40
LONGEST_COUNT = 1e9
"""Larger ones are printed to three digits only; facts.json and headline.csv have them whole."""
QUANTITY_NAMES = {
    "total_parameters": "total parameters",
    "non_embedding_parameters": "non-embedding parameters",
    "flops_per_token": "FLOPs per token",
}
DATA_TITLES = {
    "source.name": "source",
    "records.read": "records read",
    "records.duplicates": "exact duplicates dropped",
    "records.train": "records for training",
    "records.validation": "records for validation",
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


@dataclass(frozen=True)
class Cell:
    text: str
    note: str = ""
    """Said smaller, beneath."""


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """`heads` name the columns; the first column names the rows. `sections` open at the row with their index."""

    heads: Row
    rows: tuple[Row, ...]
    sections: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()


def headline(facts: Facts) -> Table:
    """Metrics down, arms across."""
    metrics = [metric for metric in facts.metrics if any(_shown(arm, metric) for arm in facts.arms)]
    rows: list[Row] = []
    sections: list[tuple[int, str]] = []
    for metric in metrics:
        if not sections or sections[-1][1] != metric.group:
            sections.append((len(rows), metric.group))
        rows.append((Cell(metric.title, metric.unit), *(_headline_cell(arm, metric) for arm in facts.arms)))
    heads = [Cell(arm.label, f"{arm.finished} of {arm.planned} runs") for arm in facts.arms]
    reasons = {
        found.estimate.reason
        for arm in facts.arms
        for found in arm.measures
        if isinstance(found.estimate, Undefined) and found.seeds
    }
    notes = tuple(f"± undefined: {reason}" for reason in sorted(reasons))
    return Table((Cell(""), *heads), tuple(rows), tuple(sections), notes)


def verdicts(facts: Facts) -> Table:
    """A comparison a row."""
    rows = []
    for contrast in facts.contrasts:
        style = facts.metric(contrast.metric).style
        reason = why(contrast)
        verdict = Cell(f"{MARKS[contrast.verdict].glyph} {contrast.verdict}")
        difference = Cell(difference_text(style, contrast.difference), values_text(contrast))
        bootstrap = Cell(interval_text(style, contrast.bootstrap))
        rows.append((Cell(contrast.statement), verdict, difference, bootstrap, Cell(reason)))
    heads = _cells("Claim", "Verdict", "Difference [t interval]", "[bootstrap]", "Reason")
    return Table(heads, tuple(rows))


def pairs(metric: Metric, strips: Sequence[Strip]) -> Table:
    """The values behind the comparisons of one claim, a seed a row."""
    rows = [
        _cells(
            f"{strip.contrast.arm_label} against {strip.contrast.against_label}",
            str(pair.seed),
            alone(metric.style, pair.arm),
            alone(metric.style, pair.against),
            NOTHING if pair.difference is None else signed(metric.style, pair.difference),
        )
        for strip in strips
        for pair in strip.contrast.pairs
    ]
    return Table(_cells("Comparison", "Seed", "Arm", "Against", "Difference"), tuple(rows))


def controls(facts: Facts) -> Table | None:
    """What each matched control solved, what is left over, and how it then differs by the other conventions."""
    matched = [arm for arm in facts.arms if arm.match is not None]
    if not matched:
        return None
    heads = ("Control", "equals", "in", "by setting", "left over", *(QUANTITY_NAMES.values()))
    rows = []
    for arm in matched:
        match = arm.match
        assert match is not None
        target = next((other.label for other in facts.arms if other.name == match.to), match.to)
        others = [percent(match.others[name]) if name in match.others else NOTHING for name in QUANTITY_NAMES]
        solved = f"{match.knob} = {match.value:,}"
        quantity = "time per step" if match.quantity == "step_seconds" else QUANTITY_NAMES[match.quantity]
        rows.append(_cells(arm.label, target, quantity, solved, percent(match.residual), *others))
    measured = [f"{arm.label}: {arm.match.times.text()}" for arm in matched if arm.match and arm.match.times]
    return Table(_cells(*heads), tuple(rows), notes=tuple(measured))


def reported(facts: Facts) -> Table | None:
    """The source's numbers beside those found here."""
    if facts.source is None or not facts.source.rows:
        return None
    rows = []
    for row in facts.source.rows:
        metric = facts.metric(row.metric)
        found = Cell(NOTHING, row.absent)
        if row.reproduced is not None:
            found = Cell(measure_text(metric.style, row.reproduced), _basis(row.reproduced.seeds, metric))
        gap = Cell(NOTHING)
        if row.gap is not None and row.difference is not None:
            undefined = isinstance(row.difference, Undefined)
            gap = Cell(signed(metric.style, row.gap) if undefined else difference_text(metric.style, row.difference))
        printed = Cell(alone(metric.style, row.reported), row.note)
        rows.append((Cell(row.label), Cell(metric.title, metric.unit), printed, found, gap))
    return Table(_cells("Arm", "Metric", "Reported", "Reproduced", "Reproduced − reported"), tuple(rows))


def log(run: RunFact) -> Table:
    """Every evaluation of a run, or evenly chosen ones of many."""
    stride = max(1, -(-len(run.log) // MOST_LOG_ROWS))
    kept = [row for index, row in enumerate(run.log) if index % stride == 0 or index == len(run.log) - 1]
    heads = _cells("step", "rate", "batch", "train probe", "validation", "time")
    return Table(heads, tuple(_log_row(row, best=row.step == run.best_step) for row in kept))


def settings(facts: Facts) -> Table:
    """The base, one setting a row."""
    return Table(_cells("Setting", "Value"), tuple(_cells(path, plain(value)) for path, value in facts.base.items()))


def changes(facts: Facts) -> Table:
    """What each arm changes in the base."""
    rows = []
    for arm in facts.arms:
        for change in arm.changes or ():
            rows.append(_cells(arm.label, change.path, plain(change.left), plain(change.right)))
        if not arm.changes:
            rows.append(_cells(arm.label, "nothing: it is the base", "", ""))
    return Table(_cells("Arm", "Setting", "Base", "Arm"), tuple(rows))


def contrast_settings(facts: Facts) -> Table | None:
    """All that differs between two compared arms, once per pair."""
    pairs = {(contrast.arm_label, contrast.against_label): contrast.settings for contrast in facts.contrasts}
    rows = [
        _cells(f"{arm} against {against}", row.path, plain(row.right), plain(row.left))
        for (arm, against), differences in pairs.items()
        for row in differences
    ]
    return Table(_cells("Comparison", "Setting", "Arm", "Against"), tuple(rows)) if rows else None


def runs(facts: Facts) -> Table:
    rows = []
    for run in facts.runs:
        seconds = run.timing.get("train_seconds")
        time = NOTHING if seconds is None else duration(seconds)
        status = Cell(run.status, run.reason)
        rows.append((Cell(run.label), Cell(str(run.seed)), status, Cell(f"{run.step:,}"), Cell(time), Cell(run.run_id)))
    return Table(_cells("Arm", "Seed", "Ended", "Steps", "Time", "Run id"), tuple(rows))


def orders(facts: Facts) -> Table:
    """Whether paired runs saw the same batches."""
    said = {True: "yes", False: "no", None: "nothing to compare"}
    rows = [_cells(str(row.seed), str(row.arms), said[row.equal], ", ".join(row.hashes)) for row in facts.orders]
    return Table(_cells("Seed", "Arms finished", "Same batches", "Hash of the order"), tuple(rows))


def provenance(facts: Facts) -> Table:
    rows = []
    for row in facts.provenance:
        several = len(row.values) > 1
        shown = "; ".join(f"{value} ({number} runs)" if several else value for value, number in row.values.items())
        rows.append(_cells(row.key, shown))
    return Table(_cells("What", "Value"), tuple(rows))


def data(facts: Facts) -> Table:
    rows = [_cells("fingerprint", facts.data_fingerprint)]
    rows += [_cells(path, plain(value)) for path, value in facts.data.items() if path != "fingerprint"]
    return Table(_cells("What", "Value"), tuple(rows))


def data_summary(facts: Facts) -> Table:
    """What a reader asks first about the data; what the manifest does not say is left out. Where arms have data of
    their own, each with its settings and its arms."""
    if [one.data_fingerprint for one in facts.datasets] != [facts.data_fingerprint]:
        return _several_data(facts)
    rows = [_cells(title, plain(facts.data[path])) for path, title in DATA_TITLES.items() if path in facts.data]
    if isinstance(share := facts.data.get("splits.train.share_of_ids_used"), float):
        rows.append(_cells("share of the ids that it uses", alone("share", share)))
    if facts.epochs is not None:
        rows.append(_cells("epochs that a run trains for", f"{facts.epochs:.3g}"))
    rows.append(_cells("fingerprint of the prepared data", facts.data_fingerprint))
    return Table(_cells("What", "Value"), tuple(rows))


def _several_data(facts: Facts) -> Table:
    rows = []
    for one in facts.datasets:
        settings = ", ".join(f"{name} {plain(value)}" for name, value in one.settings.items() if name != "kind")
        arms = f"{len(one.arms)}: {', '.join(one.arms)}"
        rows.append(_cells(one.name, settings or NOTHING, arms, one.data_fingerprint))
    return Table(_cells("Data", "Settings", "Arms", "Fingerprint"), tuple(rows))


def _cells(*texts: str) -> Row:
    return tuple(Cell(text) for text in texts)


def _shown(arm: ArmFact, metric: Metric) -> bool:
    return arm.measure(metric.name) is not None


def _headline_cell(arm: ArmFact, metric: Metric) -> Cell:
    found = arm.measure(metric.name)
    if found is None or found.mean is None:
        return Cell(NOTHING, "" if arm.finished else "no finished run")
    if metric.group == SIZE:
        return Cell(compact(found.mean), f"{found.mean:,.0f}" if found.mean < LONGEST_COUNT else "")
    n = len(found.values)
    note = f"n = {n}" if n != arm.finished else ""
    undefined = isinstance(found.estimate, Undefined)
    return Cell(measure_text(metric.style, found), "± undefined" if undefined else note)


def _basis(seeds: tuple[int, ...], metric: Metric) -> str:
    if metric.group == SIZE:
        return "counted"
    return f"mean of {len(seeds)} seeds" if len(seeds) > 1 else "one seed, no interval"


def _log_row(row: LogRow, *, best: bool) -> Row:
    def loss(value: float | None) -> str:
        return NOTHING if value is None else f"{value:.4f}"

    rate = NOTHING if row.learning_rate is None else f"{row.learning_rate:.2e}"
    time = NOTHING if row.seconds is None else duration(row.seconds)
    validation = Cell(loss(row.validation), "best" if best else "")
    return (*_cells(f"{row.step:,}", rate, loss(row.batch_loss), loss(row.train_probe)), validation, Cell(time))

"""The training log of one run per arm."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stacklab.base.units import duration
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.facts.history import LogRow, RunFact
from stacklab.report.format.numbers import NOTHING
from stacklab.report.format.palette import color_of
from stacklab.report.format.table import CsvTable, TextCell, TextRow, TextTable, text_row
from stacklab.report.sections.curves import with_dropout
from stacklab.report.sections.section import Section

MOST_LOG_ROWS = 40


@dataclass(frozen=True)
class LogCard:
    """`table` None: no run of the arm has left a log."""

    label: str
    color: str
    seed: int | None
    table: TextTable | None


@dataclass(frozen=True)
class LogBlock:
    kind: ClassVar[str] = "logs"
    cards: tuple[LogCard, ...]


def log(facts: Facts) -> Section:
    dropout = ", with dropout; train probe and validation are measured without" if with_dropout(facts) else ""
    return Section(
        name="log",
        title="Training log",
        lead=(
            "One run per arm; all runs are in ",
            "tables/training_log.csv",
            f". The batch column is the loss of the training batch just before{dropout}.",
        ),
        blocks=(LogBlock(tuple(_card(*shown) for shown in shown_runs(facts))),),
        csv=(_csv(facts),),
    )


def shown_runs(facts: Facts) -> Iterator[tuple[ArmFact, RunFact | None]]:
    """The run of each arm whose log and samples are printed: the first finished one, else the first with a log."""
    for arm in facts.arms:
        runs = facts.runs_of(arm.name)
        finished = [run for run in runs if run.status == "finished"]
        yield arm, next(iter(finished or [run for run in runs if run.log]), None)


def log_table(run: RunFact) -> TextTable:
    """Every evaluation of a run, or evenly chosen ones of many."""
    stride = max(1, -(-len(run.log) // MOST_LOG_ROWS))
    kept = [row for index, row in enumerate(run.log) if index % stride == 0 or index == len(run.log) - 1]
    heads = text_row("step", "rate", "batch", "train probe", "validation", "time")
    return TextTable(heads, tuple(_row(row, best=row.step == run.best_step) for row in kept))


def _card(arm: ArmFact, run: RunFact | None) -> LogCard:
    if run is None:
        return LogCard(arm.label, color_of(arm), None, None)
    return LogCard(arm.label, color_of(arm), run.seed, log_table(run))


def _row(row: LogRow, *, best: bool) -> TextRow:
    def loss(value: float | None) -> str:
        return NOTHING if value is None else f"{value:.4f}"

    rate = NOTHING if row.learning_rate is None else f"{row.learning_rate:.2e}"
    time = NOTHING if row.seconds is None else duration(row.seconds)
    validation = TextCell(loss(row.validation), "best" if best else "")
    return (*text_row(f"{row.step:,}", rate, loss(row.batch_loss), loss(row.train_probe)), validation, TextCell(time))


def _csv(facts: Facts) -> CsvTable[tuple[RunFact, LogRow]]:
    return CsvTable(
        "training_log.csv",
        [(run, row) for run in facts.runs for row in run.log],
        {
            "arm": lambda row: row[0].arm,
            "seed": lambda row: row[0].seed,
            "step": lambda row: row[1].step,
            "learning_rate": lambda row: row[1].learning_rate,
            "batch_loss": lambda row: row[1].batch_loss,
            "train_probe_loss": lambda row: row[1].train_probe,
            "validation_loss": lambda row: row[1].validation,
            "seconds": lambda row: row[1].seconds,
        },
    )

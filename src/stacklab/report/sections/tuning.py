"""Learning-rate sensitivity: the loss of every arm over the grid of learning rates, as a figure and as a table."""

from collections.abc import Sequence

from stacklab.report.drawing.figure import Axis, Figure, Key, Line, Panel, Points, arm_keys, spanning
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.format.numbers import NOTHING
from stacklab.report.format.palette import color_of, symbol_of
from stacklab.report.format.table import CsvTable, TextCell, TextRow, TextTable, text_row
from stacklab.report.sections.section import Details, Section, TableBlock, figure_block, shown
from stacklab.study.results.tuning import ArmTuning, Point

UNIT = "nats per token, tuning split"


def tuning(facts: Facts) -> Section:
    table = tuning_table(facts)
    return Section(
        name="tuning",
        title="Learning-rate sensitivity",
        nav="Learning rates",
        lead="Every arm was trained over the same grid, on seeds and on text that no claim uses. Claims are judged at "
        "the shared rate, and with each arm at the setting chosen for it.",
        blocks=shown(
            figure_block(learning_rates(facts)), Details("The grid in numbers", (TableBlock(table),)) if table else None
        ),
        csv=(_csv(facts),),
    )


def learning_rates(facts: Facts) -> Figure | None:
    """Loss on the tuning split against the learning rate: a panel per weight decay, a line per arm, a dot per seed."""
    points = [point for tuning in facts.tuning for point in tuning.points]
    losses = [loss for point in points for loss in point.losses]
    if not losses:
        return None
    x = spanning("learning rate", [point.setting.learning_rate for point in points], log=True)
    y = spanning(UNIT, losses)
    decays = sorted({point.setting.weight_decay for point in points})
    return Figure(
        name="learning_rates",
        title="Learning-rate sensitivity",
        caption="Final loss on the tuning split, which no claim uses. Dots: one tuning seed each; lines: their mean; "
        "outlines: the setting chosen for an arm; crosses at the top: a seed diverged there.",
        panels=tuple(
            Panel(f"weight decay {decay:g}", x, y, lines=_lines(facts, decay), points=_points(facts, decay, y))
            for decay in decays
        ),
        keys=(*arm_keys(_arms(facts)), Key("chosen", None, "ring"), Key("diverged", None, "x")),
        columns=min(3, len(decays)),
    )


def tuning_table(facts: Facts) -> TextTable | None:
    """Every setting of every arm."""
    if not facts.tuning:
        return None
    rows: list[TextRow] = []
    sections = []
    for tuning in facts.tuning:
        sections.append((len(rows), facts.arm(tuning.arm).label))
        rows += [_row(tuning, point) for point in tuning.points]
    heads = text_row("Learning rate", "Weight decay", "Mean loss", "Losses by seed", "Diverged")
    notes = tuple(f"{facts.arm(one.arm).label}: no setting chosen, {one.reason}." for one in facts.tuning if one.reason)
    return TextTable(heads, tuple(rows), tuple(sections), notes)


def _row(tuning: ArmTuning, point: Point) -> TextRow:
    setting = point.setting
    chosen = "chosen" if setting == tuning.chosen else ""
    mean = TextCell(NOTHING if point.mean is None else f"{point.mean:.4f}", chosen)
    losses = ", ".join(f"{loss:.4f}" for loss in point.losses) or NOTHING
    rate, decay = TextCell(f"{setting.learning_rate:g}"), TextCell(f"{setting.weight_decay:g}")
    return rate, decay, mean, TextCell(losses), TextCell(str(point.diverged) if point.diverged else "")


def _arms(facts: Facts) -> list[ArmFact]:
    return [facts.arm(tuning.arm) for tuning in facts.tuning]


def _of(tuning: ArmTuning, decay: float) -> list[Point]:
    return sorted(
        (point for point in tuning.points if point.setting.weight_decay == decay),
        key=lambda point: point.setting.learning_rate,
    )


def _lines(facts: Facts, decay: float) -> tuple[Line, ...]:
    lines = []
    for tuning, arm in zip(facts.tuning, _arms(facts), strict=True):
        kept = [(point.setting.learning_rate, point.mean) for point in _of(tuning, decay) if point.mean is not None]
        if kept:
            x, y = zip(*kept, strict=True)
            lines.append(Line(arm.label, x, y, color_of(arm)))
    return tuple(lines)


def _points(facts: Facts, decay: float, y: Axis) -> tuple[Points, ...]:
    marks = []
    for index, (tuning, arm) in enumerate(zip(facts.tuning, _arms(facts), strict=True)):
        # One below the other, so that crosses of several arms do not hide one another.
        top = y.high - (0.04 + 0.05 * index) * (y.high - y.low)
        points = _of(tuning, decay)
        dots = [(point.setting.learning_rate, loss) for point in points for loss in point.losses]
        lost = [(point.setting.learning_rate, top) for point in points if point.diverged]
        best = [(p.setting.learning_rate, p.mean) for p in points if p.setting == tuning.chosen and p.mean is not None]
        marks += _marks(arm.label, dots, color_of(arm), symbol_of(arm))
        marks += _marks(f"{arm.label}, diverged", lost, color_of(arm), "x")
        marks += _marks(f"{arm.label}, chosen", best, color_of(arm), "circle", size=14, hollow=True)
    return tuple(marks)


def _marks(
    name: str, at: Sequence[tuple[float, float]], color: str, symbol: str, *, size: float = 6, hollow: bool = False
) -> list[Points]:
    if not at:
        return []
    x, y = zip(*at, strict=True)
    return [Points(name, x, y, color, symbol, size=size, hollow=hollow)]


def _csv(facts: Facts) -> CsvTable[tuple[ArmTuning, Point]]:
    return CsvTable(
        "tuning.csv",
        [(arm, point) for arm in facts.tuning for point in arm.points],
        {
            "arm": lambda row: row[0].arm,
            "learning_rate": lambda row: row[1].setting.learning_rate,
            "weight_decay": lambda row: row[1].setting.weight_decay,
            "mean_loss": lambda row: row[1].mean,
            "seeds_finished": lambda row: len(row[1].losses),
            "diverged": lambda row: row[1].diverged,
            "missing": lambda row: row[1].missing,
            "chosen": lambda row: row[1].setting == row[0].chosen,
        },
    )

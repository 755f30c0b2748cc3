"""The steps of loss curves as shares of an epoch, where all arms go through the same text at the same pace."""

from dataclasses import replace

from stacklab.report.drawing.figure import Axis, Figure, Panel
from stacklab.report.facts.build import Facts
from stacklab.study.planning.contrast import MOVE_BATCHES

EPOCHS = "epochs of the training text"


def over_epochs(facts: Facts, figure: Figure, last: float) -> Figure:
    """A figure over training steps, drawn over epochs where the study states its length in epochs; where it states
    steps, the caption says how many epochs the `last` step is. As it is where the data have no epochs."""
    share = _epochs_of_a_step(facts)
    if share is None:
        return figure
    if facts.base["train.epochs"] is None:
        length = f" Step {last:,.0f} is {share * last:.3g} epochs of the training text."
        return replace(figure, caption=figure.caption + length)
    return replace(figure, panels=tuple(_scaled(panel, share) for panel in figure.panels))


def _epochs_of_a_step(facts: Facts) -> float | None:
    """None where an epoch is unknown, or arms have batches or data of their own."""
    own = any(row.path.startswith((*MOVE_BATCHES, "train.epochs")) for arm in facts.arms for row in arm.changes)
    return None if own or facts.epochs is None else facts.epochs / facts.base["train.steps"]


def _scaled(panel: Panel, factor: float) -> Panel:
    def along(x: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(step * factor for step in x)

    return replace(
        panel,
        x=Axis(EPOCHS, panel.x.low * factor, panel.x.high * factor),
        bands=tuple(replace(band, x=along(band.x)) for band in panel.bands),
        lines=tuple(replace(line, x=along(line.x)) for line in panel.lines),
        points=tuple(replace(mark, x=along(mark.x)) for mark in panel.points),
    )

"""Losses over the steps of training: arm by arm, and all arms together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from stacklab.report.drawing.figure import Axis, Band, Dash, Figure, Key, Line, Panel, Points, arm_keys, spanning
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.facts.history import RunFact
from stacklab.report.format.palette import color_of, symbol_of
from stacklab.report.sections.section import FigureBlock, Heading, Section
from stacklab.study.planning.contrast import MOVE_BATCHES

STEP, NATS = "training step", "nats per token"
PROBES: dict[str, tuple[str, Dash]] = {"validation": ("validation", "solid"), "train_probe": ("train probe", "dash")}
DROPOUT = ("model.dropout", "model.attention_dropout")
EARLY = 0.15
"""The overlay leaves out the first steep part of training, as a share of the steps."""


def curves(facts: Facts) -> Section | None:
    """None where no run has left a log."""
    arm_by_arm, together = curve_figure(facts), overlay_figure(facts)
    if arm_by_arm is None:
        return None
    overlay = (Heading(together.title), FigureBlock(together)) if together else ()
    return Section("curves", "Loss curves", (FigureBlock(arm_by_arm), *overlay))


def curve_figure(facts: Facts) -> Figure | None:
    """One panel per arm on shared axes: every seed, the range over seeds, and the noisy training batches."""
    drawn = [run for run in facts.runs if run.log]
    if not drawn:
        return None
    x = Axis(STEP, -0.02 * _last_step(facts), 1.03 * _last_step(facts))
    # A diverging run would flatten all others, so the finished ones set the height where there are any.
    y = spanning(NATS, [y for run in _finished(drawn) or drawn for y in _losses(run)])
    arms = [arm for arm in facts.arms if any(run.arm == arm.name for run in drawn)]
    stride = max(run.batch_stride for run in drawn)
    which = "every training batch" if stride == 1 else f"one training batch in {stride}"
    which += ", measured with dropout" if with_dropout(facts) else ""
    figure = Figure(
        name="curves",
        title="Loss curves, arm by arm",
        caption="A line per seed. The band reaches from the lowest to the highest finished seed. Faint: the loss of "
        f"{which}. A ring marks the best validation loss of a seed. All panels share their axes.",
        panels=tuple(
            Panel(arm.label, x, y, _bands(arm), tuple(_seed_lines(facts, arm)), tuple(_marks(facts, arm)))
            for arm in arms
        ),
        keys=(
            Key("validation", None, "solid"),
            Key("train probe", None, "dash"),
            Key("training batch", None, "faint"),
            Key("best validation", None, "ring"),
            *([Key("ended early", None, "ended")] if len(_finished(drawn)) < len(drawn) else []),
        ),
    )
    return over_epochs(facts, figure, _last_step(facts))


def overlay_figure(facts: Facts) -> Figure | None:
    """One panel per probe: the arms' means over finished seeds, with their range."""
    last = _last_step(facts)
    panels = []
    for probe, (name, _) in PROBES.items():
        lines = [line for arm in facts.arms if (line := _mean_line(facts, arm, probe)) is not None]
        bands = [band for arm in facts.arms if (band := _band(arm, probe)) is not None]
        shown = [(x, y) for line in lines for x, y in zip(line.x, line.y, strict=True)]
        shown += [(x, y) for band in bands for ends in (band.low, band.high) for x, y in zip(band.x, ends, strict=True)]
        late = [(x, y) for x, y in shown if x >= EARLY * last]
        if late:
            x_axis = Axis(STEP, min(x for x, _ in late) - 0.02 * last, 1.02 * last)
            panels.append(Panel(name, x_axis, spanning(NATS, [y for _, y in late]), tuple(bands), tuple(lines)))
    if not panels:
        return None
    figure = Figure(
        name="overlay",
        title="All arms together",
        caption="Means over the finished seeds; the band reaches from the lowest to the highest. The first "
        f"{EARLY:.0%} of the steps are left out, so that the rest is legible.",
        panels=tuple(panels),
        keys=arm_keys(facts.arms),
        columns=2,
    )
    return over_epochs(facts, figure, last)


def with_dropout(facts: Facts) -> bool:
    """Whether an arm is trained with dropout, so that the losses of its training batches are measured with it."""
    own = [{row.path: row.right for row in arm.changes} for arm in facts.arms]
    return any(changed.get(path, facts.base[path]) for changed in own for path in DROPOUT)


def _last_step(facts: Facts) -> float:
    """At least 1, also where every run diverged before its second evaluation."""
    evaluated = (row.step for run in facts.runs for row in run.log)
    trained = (step for run in facts.runs for step in run.batch_steps)
    return float(max((*evaluated, *trained, 1)))


def _finished(runs: Sequence[RunFact]) -> list[RunFact]:
    return [run for run in runs if run.status == "finished"]


def _losses(run: RunFact) -> Iterator[float]:
    yield from run.batch_losses
    for row in run.log:
        yield from (value for value in (row.train_probe, row.validation) if value is not None)


def _bands(arm: ArmFact) -> tuple[Band, ...]:
    return tuple(band for probe in PROBES if (band := _band(arm, probe)) is not None)


def _band(arm: ArmFact, probe: str) -> Band | None:
    for envelope in arm.envelopes:
        if envelope.metric == probe and envelope.steps:
            return Band(tuple(map(float, envelope.steps)), envelope.low, envelope.high, color_of(arm))
    return None


def _seed_lines(facts: Facts, arm: ArmFact) -> Iterator[Line]:
    for run in facts.runs_of(arm.name):
        who = f"seed {run.seed}" + ("" if run.status == "finished" else f" ({run.status})")
        steps = tuple(map(float, run.batch_steps))
        if steps:
            yield Line(f"{who}, training batch", steps, run.batch_losses, color_of(arm), width=0.8, opacity=0.22)
        for probe, (name, dash) in PROBES.items():
            x, y = _points_of(run, probe)
            if x:
                yield Line(f"{who}, {name}", x, y, color_of(arm), dash=dash, width=1.3)


def _points_of(run: RunFact, probe: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pairs = [(float(row.step), value) for row in run.log if (value := getattr(row, probe)) is not None]
    return tuple(step for step, _ in pairs), tuple(value for _, value in pairs)


def _mean_line(facts: Facts, arm: ArmFact, probe: str) -> Line | None:
    """The mean over seeds; of a single finished run, that run's own curve."""
    for envelope in arm.envelopes:
        if envelope.metric == probe and envelope.steps:
            return Line(
                arm.label,
                tuple(map(float, envelope.steps)),
                envelope.mean,
                color_of(arm),
                width=2,
                symbol=symbol_of(arm),
            )
    for run in _finished(facts.runs_of(arm.name)):
        x, y = _points_of(run, probe)
        return Line(arm.label, x, y, color_of(arm), width=2, symbol=symbol_of(arm))
    return None


def _marks(facts: Facts, arm: ArmFact) -> Iterator[Points]:
    """Where validation was best, and where a run that did not finish was last evaluated."""
    for run in facts.runs_of(arm.name):
        x, y = _points_of(run, "validation")
        if run.status == "finished" and run.best_step is not None and run.best_loss is not None:
            name = f"seed {run.seed}, best validation"
            yield Points(name, (float(run.best_step),), (run.best_loss,), color_of(arm), "circle", size=8, hollow=True)
        elif x:
            yield Points(f"seed {run.seed}, {run.status}", x[-1:], y[-1:], color_of(arm), "x", size=9)


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

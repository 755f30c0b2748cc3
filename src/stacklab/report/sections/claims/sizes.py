"""How large a difference of losses is: as a share of the loss, and as effective compute."""

from collections.abc import Callable

from stacklab.report.facts.contrasts import ContrastFact
from stacklab.report.format.numbers import NOTHING, confidence, percent
from stacklab.report.format.table import Columns, TextCell
from stacklab.run.metrics import describe
from stacklab.stats.result import Estimate
from stacklab.study.results.compute import EffectiveCompute

HEADS = (
    TextCell("difference, share", "of the other arm's loss"),
    TextCell("effective compute", "FLOPs of the worse arm / of the better, to the same loss"),
)


def size_cells(contrast: ContrastFact) -> tuple[TextCell, TextCell]:
    """One cell for each of HEADS."""
    return _share_cell(contrast), _compute_cell(contrast)


def compute_problem(contrast: ContrastFact) -> str:
    """Why a claim on a final loss has no effective compute; empty if it has one, and for other claims."""
    return contrast.compute.reason if contrast.compute is not None and contrast.compute.kind == "undefined" else ""


def size_columns() -> Columns[ContrastFact]:
    """Shares with the ends of their interval, and ratios with their range over seeds; empty where there is none."""

    def share(end: str) -> Callable[[ContrastFact], float | None]:
        return lambda row: None if (scaled := loss_share(row)) is None else getattr(scaled, end)

    def compute(field: str) -> Callable[[ContrastFact], str | float | None]:
        return lambda row: getattr(row.compute, field, None)

    return {
        "difference_share": share("value"),
        "difference_share_low": share("low"),
        "difference_share_high": share("high"),
        "difference_share_confidence": share("level"),
        "compute_better_arm": compute("better"),
        "compute_times": compute("times"),
        "compute_times_low": compute("low"),
        "compute_times_high": compute("high"),
    }


def loss_share(contrast: ContrastFact) -> Estimate | None:
    """The difference and its interval as shares of the other arm's mean loss, which is taken as exact; None for other
    metrics and where either is undefined."""
    difference, against = contrast.difference, contrast.against_mean
    if describe(contrast.metric).style != "loss":
        return None
    if not isinstance(difference, Estimate) or not isinstance(against, Estimate) or against.value <= 0:
        return None
    ends = {name: getattr(difference, name) / against.value for name in ("value", "low", "high")}
    return difference.model_copy(update=ends)


def _share_cell(contrast: ContrastFact) -> TextCell:
    share = loss_share(contrast)
    if share is None:
        return TextCell(NOTHING)
    return TextCell(percent(share.value), f"{confidence(share.level)} CI {percent(share.low)} to {percent(share.high)}")


def _compute_cell(contrast: ContrastFact) -> TextCell:
    compute = contrast.compute
    if not isinstance(compute, EffectiveCompute):
        return TextCell(NOTHING)
    label = contrast.arm_label if compute.better == contrast.arm else contrast.against_label
    times, low, high = (f"{number:.2g}" for number in (compute.times, compute.low, compute.high))
    return TextCell(f"{times} times", f"{label}; {low} to {high} over seeds")

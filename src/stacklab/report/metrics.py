"""The metrics that runs write: name, title, unit, group. An unknown one is shown under its own name."""

from collections.abc import Iterable

from stacklab.report.schema import Metric
from stacklab.run.metrics import NATS, hops_of

LOSS, ANSWERS, COST, SIZE, OTHER = "Loss", "Answers", "Cost", "Size", "Other"
GROUPS = (SIZE, LOSS, ANSWERS, COST, OTHER)

KNOWN = (
    Metric(name="total_parameters", title="Parameters, total", unit="", group=SIZE, style="whole"),
    Metric(name="non_embedding_parameters", title="Parameters, non-embedding", unit="", group=SIZE, style="whole"),
    Metric(name="flops_per_token", title="FLOPs per trained token", unit="", group=SIZE, style="whole"),
    Metric(name="train_flops", title="FLOPs of training", unit="", group=SIZE, style="whole"),
    Metric(name="train_probe.loss", title="Train probe, final loss", unit=NATS, group=LOSS, style="loss"),
    Metric(name="train_probe.perplexity", title="Train probe, perplexity", unit="", group=LOSS, style="plain"),
    Metric(name="validation.loss", title="Validation, final loss", unit=NATS, group=LOSS, style="loss"),
    Metric(name="validation.best_loss", title="Validation, best loss", unit=NATS, group=LOSS, style="loss"),
    Metric(name="validation.best_step", title="Validation, step of the best", unit="steps", group=LOSS, style="step"),
    Metric(name="validation.perplexity", title="Validation, perplexity", unit="", group=LOSS, style="plain"),
    Metric(name="validation.bits_per_byte", title="Validation, bits per byte", unit="bits", group=LOSS, style="loss"),
    Metric(name="train.last_batch_loss", title="Last training batch, loss", unit=NATS, group=LOSS, style="loss"),
    Metric(name="accuracy", title="Exact answers, all problems", unit="", group=ANSWERS, style="share"),
    Metric(name="train_seconds", title="Training time", unit="", group=COST, style="seconds"),
    Metric(name="tokens_per_second", title="Tokens per second", unit="", group=COST, style="rate"),
    Metric(name="median_step_seconds", title="Time of a step, median", unit="", group=COST, style="seconds"),
    Metric(name="peak_memory_bytes", title="Peak memory", unit="", group=COST, style="bytes"),
)
BY_NAME = {metric.name: metric for metric in KNOWN}


def describe(name: str) -> Metric:
    if name in BY_NAME:
        return BY_NAME[name]
    if (hops := hops_of(name)) is not None:
        title = f"Exact answers, {hops} hop{'' if hops == 1 else 's'}"
        return Metric(name=name, title=title, unit="", group=ANSWERS, style="share")
    return Metric(name=name, title=name, unit="", group=OTHER, style="plain")


def in_order(names: Iterable[str]) -> list[Metric]:
    """Each once: the known ones in the order above, hops by number, the rest by name."""
    known = list(BY_NAME)

    def rank(metric: Metric) -> tuple[int, int, int, str]:
        place = known.index(metric.name) if metric.name in BY_NAME else len(known)
        return GROUPS.index(metric.group), place, hops_of(metric.name) or 0, metric.name

    return sorted((describe(name) for name in set(names)), key=rank)

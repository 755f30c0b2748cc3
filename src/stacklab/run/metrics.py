"""The metrics that a finished run can have, and the scale that each is on. No torch here."""

import re

NATS, PERPLEXITY, BITS, STEPS, SHARE = "nats per token", "perplexity", "bits per byte", "steps", "share of answers"

SCALES = {
    "train_probe.loss": NATS,
    "train_probe.perplexity": PERPLEXITY,
    "validation.loss": NATS,
    "validation.best_loss": NATS,
    "validation.best_step": STEPS,
    "validation.perplexity": PERPLEXITY,
    "validation.bits_per_byte": BITS,
    "train.last_batch_loss": NATS,
    "accuracy": SHARE,
}
"""Of runs over text."""
TASK_SCALES = {"train_probe.accuracy": SHARE, "validation.accuracy": SHARE, "steps_to_solve": STEPS}
"""Of runs over a task, beside the losses; accuracies also by slice: validation.accuracy.SLICE."""
SLICE = re.compile(r"(train_probe|validation)\.accuracy\..+")
HOPS = re.compile(r"accuracy\.hops_(\d+)")


def hops_of(metric: str) -> int | None:
    """
    >>> hops_of("accuracy.hops_4")
    4
    """
    found = HOPS.fullmatch(metric)
    return int(found[1]) if found else None


def scale_of(metric: str) -> str | None:
    """The scale of a metric; None for one that no run can have."""
    if hops_of(metric) is not None or SLICE.fullmatch(metric):
        return SHARE
    return SCALES.get(metric) or TASK_SCALES.get(metric)


def unknown_metric(metric: str) -> str:
    """Why a metric cannot be claimed: no run can have it. Empty for one that some run can have."""
    if scale_of(metric) is not None:
        return ""
    known = ", ".join((*SCALES, "accuracy.hops_N", *TASK_SCALES, "validation.accuracy.SLICE"))
    return f"no run has the metric {metric!r}; metrics are {known}"

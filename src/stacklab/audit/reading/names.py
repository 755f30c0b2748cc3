"""Names of columns and tags -> kinds of loss."""

import re

from stacklab.audit.reading.log import Metric

STEP_NAMES = frozenset({"step", "steps", "_step", "iter", "iteration", "iterations", "global_step", "global step"})
VALIDATION = frozenset({"val", "valid", "validation", "eval", "dev", "test"})
TRAIN = frozenset({"train", "training"})
LOSS = frozenset({"loss", "losses", "ce", "xent", "nll", "cross", "entropy"})
PLAIN = frozenset({"step", "epoch", "mean", "lm", "total"})
BATCH = frozenset({"batch", "iter"})


def metric_of(name: str) -> Metric | None:
    """None for anything but a loss: a rate, a time, an accuracy, a perplexity.

    >>> [metric_of(name) for name in ("train/loss", "val_loss", "Loss", "train_time", "lr")]
    ['train', 'validation', 'train', None, None]
    """
    words = frozenset(re.findall(r"[a-z]+", name.lower()))
    if not words or words - (VALIDATION | TRAIN | LOSS | PLAIN | BATCH) or not words & (VALIDATION | TRAIN | LOSS):
        return None
    if words & VALIDATION:
        return "validation"
    return "batch" if words & BATCH else "train"


def run_and_metric(name: str) -> tuple[str, Metric | None]:
    """`deep - train/loss`, as exported by trackers that put runs side by side, or a plain name.

    >>> run_and_metric("deep - train/loss")
    ('deep', 'train')
    """
    run, dash, rest = name.rpartition(" - ")
    return (run.strip(), metric_of(rest)) if dash else ("", metric_of(name))

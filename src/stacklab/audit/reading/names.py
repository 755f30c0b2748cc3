"""Names of columns, tags and keys -> counters and kinds of loss. What these lists do not name is no loss."""

import re
from collections.abc import Mapping

from stacklab.audit.reading.entry import Count, Counter, Entry
from stacklab.audit.reading.log import Metric
from stacklab.audit.reading.number import Number, read_count, read_value

VALIDATION = frozenset({"val", "valid", "validation", "eval", "dev", "test", "validate", "evaluation"})
TRAIN = frozenset({"train", "training"})
ALONE = frozenset({"val", "valid", "validation"}) | TRAIN
"""Parts of the data whose name alone may stand for the loss on it: `train 10.7 val 10.6`."""

LOSS = frozenset({"loss", "losses", "ce", "xent", "nll"})
PLAIN = frozenset(
    "step epoch mean avg average lm total running smooth smoothed ema value per token cross entropy".split()  # noqa: SIM905
)
BATCH = frozenset({"batch", "iter"})
MEASURES: dict[str, tuple[frozenset[str], ...]] = {
    "bits per byte": (frozenset({"bpb"}), frozenset({"bits", "per", "byte"})),
    "bits per character": (
        frozenset({"bpc"}),
        frozenset({"bits", "per", "char"}),
        frozenset({"bits", "per", "character"}),
    ),
    "perplexity": (frozenset({"ppl"}), frozenset({"perplexity"})),
}
KINDS: dict[tuple[bool, str], Metric] = {
    (False, "bits per byte"): "train bits per byte",
    (True, "bits per byte"): "validation bits per byte",
    (False, "bits per character"): "train bits per character",
    (True, "bits per character"): "validation bits per character",
    (False, "perplexity"): "train perplexity",
    (True, "perplexity"): "validation perplexity",
}

PHRASES: tuple[tuple[Counter, str], ...] = (
    ("step", "step, steps, global step, optimizer step, optimiser step, update, updates, num updates"),
    ("iter", "iter, iters, iteration, iterations, it, iter num, num iter"),
    ("batch", "batch, micro batch, microbatch, mini batch, minibatch, micro step, batch idx"),
    ("token", "tokens, consumed tokens, tokens seen, total tokens, num tokens"),
    ("sample", "samples, consumed samples, samples seen, examples"),
    ("epoch", "epoch, ep"),
)
COUNTER_NAMES: dict[frozenset[str], Counter] = {
    frozenset(names.split()): counter for counter, phrases in PHRASES for names in phrases.split(", ")
}
LEADS = frozenset(["info", "debug", "warning", "warn", "root", "main", "utc", "am", "pm", "t", "z"])
"""Words of a logger before a counter."""

SUMMARY = frozenset(["best", "final", "last", "lowest", "minimum", "min", "highest", "done", "summary", "result"])
"""Words of a line that repeats what was logged before."""

ABSENT = frozenset({"", "n/a", "na", "none", "null", "-", "--", "no log"})
RUN_NAMES = ("arm", "run", "run_name", "model", "name", "experiment")
SUMMARY_KEYS = frozenset({"train_runtime", "train/train_runtime"})
"""Keys of the record with which the Hugging Face Trainer ends: its train_loss is the mean over the whole training."""


def words_of(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+|\d+", name.lower()))


def metric_of(name: str, *, validation: bool = False) -> Metric | None:
    """None for anything but a loss: a rate, a time, an accuracy. `validation`: what a name without a part stands for.

    >>> [metric_of(name) for name in ("train/loss", "val_loss", "Loss", "train_time", "aux_loss", "val_bpb")]
    ['train', 'validation', 'train', None, None, 'validation bits per byte']
    """
    words = words_of(name)
    held_out = bool(words & VALIDATION) or (validation and not words & TRAIN)
    rest = words - VALIDATION - TRAIN - LOSS - PLAIN - BATCH
    for measure, spellings in MEASURES.items():
        if any(spelling <= words and rest <= spelling for spelling in spellings):
            return KINDS[held_out, measure]
    if rest or not (words & LOSS or {"cross", "entropy"} <= words or (words <= ALONE and words)):
        return None
    if held_out:
        return "validation"
    return "batch" if words & BATCH else "train"


def is_bare(name: str) -> bool:
    """Whether the name says no more than `loss`."""
    return words_of(name) <= LOSS


def counter_of(name: str) -> Counter | None:
    """The counter that a name stands for; parts of the data and words of a logger before it change nothing.

    >>> [counter_of(name) for name in ("Step", "train/global_step", "iter_dt", "epoch")]
    ['step', 'step', None, 'epoch']
    """
    return COUNTER_NAMES.get(words_of(name) - LEADS - VALIDATION - TRAIN)


def run_and_metric(name: str) -> tuple[str, Metric | None]:
    """`deep - train/loss`, as exported by trackers that put runs side by side, or a plain name.

    >>> run_and_metric("deep - train/loss")
    ('deep', 'train')
    """
    run, dash, rest = name.rpartition(" - ")
    return (run.strip(), metric_of(rest)) if dash else ("", metric_of(name))


def is_summary(name: str) -> bool:
    return bool(words_of(name) & SUMMARY)


def count_of(counter: Counter, text: str) -> Count | None:
    """The value of a counter in a record, where whole numbers may be written as 10.0."""
    if counter == "epoch":
        number = read_value(text)
        fits = number is not None and 0 <= number.value < 1e9
        return Count(number.value, None, number.decimals or 0) if number is not None and fits else None
    whole = read_count(text.removesuffix(".0"))
    return None if whole is None else Count(whole)


def entry_of(record: Mapping[str, str]) -> Entry | None:
    """The entry of a record of names and values, in any order. None for one without losses and without counters.

    Where several names stand for one loss, the first counts that is not a mean over an epoch.
    """
    if SUMMARY_KEYS & record.keys():
        return Entry()
    counters: dict[Counter, Count] = {}
    losses: dict[Metric, Number] = {}
    absent, refused = set(), ""
    for name in sorted(record, key=lambda name: ("epoch" in words_of(name), "global" not in words_of(name))):
        counter, metric, text = counter_of(name), metric_of(name), record[name].strip()
        if counter is not None:
            if (count := count_of(counter, text)) is not None:
                counters.setdefault(counter, count)
            elif text.lower() not in ABSENT:
                refused = refused or f"{name} {text}"
        elif metric is not None and text.lower() in ABSENT:
            absent.add(metric)
        elif metric is not None and not is_summary(name):
            if (number := read_value(text)) is not None:
                losses.setdefault(metric, number)
            else:
                refused = refused or f"{name} {text}"
    if not counters and not losses:
        return None
    lower = {name.lower(): value for name, value in record.items()}
    run = next((lower[name] for name in RUN_NAMES if name in lower), "")
    return Entry(
        counters=counters,
        losses=losses,
        absent=frozenset(absent - losses.keys()),
        refused=refused,
        run=run,
        seed=lower.get("seed", ""),
    )

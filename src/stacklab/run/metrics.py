"""Every metric of a run: title, unit, scale, print style, group in the report, and the settings it depends on.

The one table of metrics. Claims, stop rules, comparisons across studies and the report read it; any other metric
is refused. No torch here.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from stacklab.base.errors import DataError
from stacklab.base.spec import Items, Spec

Style = Literal["loss", "plain", "share", "whole", "step", "seconds", "rate", "bytes"]
"""How values are printed: see stacklab.report."""
NATS, STEPS, SHARE = "nats per token", "steps", "share of answers"
SIZE, LOSS, ANSWERS, COST = "Size", "Loss", "Answers", "Cost"
GROUPS = (SIZE, LOSS, ANSWERS, COST)
"""Groups of metrics, in the order of the report."""


class Metric(Spec):
    """One metric, or a family of metrics whose names hold a number {n} or the name of a slice {slice}.

    scale: values on the same scale can be averaged; empty for counts and times, about which no claim can be made.
    at_evaluations: measured at every evaluation, so that a stop rule can use it.
    depends_on: fields of EvaluateSpec; values are comparable only under the same settings.
    across_tokenizers: values are comparable between tokenizers on the same text.
    over: the kind of data that has it; empty for both.
    """

    name: str
    title: str
    unit: str = ""
    scale: str = ""
    style: Style
    group: str
    at_evaluations: bool = False
    depends_on: Items[str] = ()
    across_tokenizers: bool = False
    over: Literal["text", "task", ""] = ""


def _loss(name: str, title: str, **more: Any) -> Metric:
    return Metric(name=name, title=title, unit=NATS, scale=NATS, style="loss", group=LOSS, **more)


def _perplexity(name: str, title: str, **more: Any) -> Metric:
    return Metric(name=name, title=title, scale="perplexity", style="plain", group=LOSS, **more)


def _steps(name: str, title: str, *, group: str, **more: Any) -> Metric:
    return Metric(name=name, title=title, unit=STEPS, scale=STEPS, style="step", group=group, **more)


def _share(name: str, title: str, **more: Any) -> Metric:
    return Metric(name=name, title=title, scale=SHARE, style="share", group=ANSWERS, **more)


def _cost(name: str, title: str, style: Style) -> Metric:
    return Metric(name=name, title=title, style=style, group=COST)


def _count(name: str, title: str) -> Metric:
    return Metric(name=name, title=title, style="whole", group=SIZE)


def _held_out(split: str, title: str) -> tuple[Metric, ...]:
    best = ("every",)
    return (
        _loss(f"{split}.loss", f"{title}, final loss", at_evaluations=True),
        _loss(f"{split}.best_loss", f"{title}, best loss", depends_on=best),
        _steps(f"{split}.best_step", f"{title}, step of the best", group=LOSS, depends_on=best),
        _perplexity(f"{split}.perplexity", f"{title}, perplexity"),
        Metric(
            name=f"{split}.bits_per_byte",
            title=f"{title}, bits per byte",
            unit="bits",
            scale="bits per byte",
            style="loss",
            group=LOSS,
            at_evaluations=True,
            across_tokenizers=True,
            over="text",
        ),
    )


def _accuracies(split: str, title: str, **more: Any) -> tuple[Metric, ...]:
    more |= {"at_evaluations": True, "over": "task"}
    return (
        _share(f"{split}.accuracy", f"{title}, accuracy", **more),
        _share(f"{split}.accuracy.{{slice}}", f"{title}, accuracy, {{slice}}", **more),
    )


PROBE: dict[str, Any] = {"depends_on": ("train_probe_blocks",)}
PROBLEMS: dict[str, Any] = {"depends_on": ("problems", "answer_tokens"), "over": "text"}

RESULTS = (
    _loss("train_probe.loss", "Train probe, final loss", at_evaluations=True, **PROBE),
    _perplexity("train_probe.perplexity", "Train probe, perplexity", **PROBE),
    *_held_out("validation", "Validation"),
    _loss("train.last_batch_loss", "Last training batch, loss"),
    _share("accuracy", "Exact answers, all problems", **PROBLEMS),
    _share("accuracy.hops_{n}", "Exact answers, {n}-hop problems", **PROBLEMS),
    *_accuracies("validation", "Validation"),
    *_accuracies("train_probe", "Train probe", **PROBE),
    _steps("steps_to_solve", "Steps to solve", group=ANSWERS, depends_on=("every",)),
)
"""Metrics of finished runs over text or tasks; claims can be about them."""
OTHERS = (
    _count("total_parameters", "Parameters, total"),
    _count("non_embedding_parameters", "Parameters, non-embedding"),
    _count("flops_per_token", "FLOPs per trained token"),
    _count("train_flops", "FLOPs of training"),
    *_held_out("tuning", "Tuning split"),
    *_accuracies("tuning", "Tuning split"),
    _cost("train_seconds", "Training time", "seconds"),
    _cost("tokens_per_second", "Tokens per second", "rate"),
    _cost("median_step_seconds", "Time of a step, median", "seconds"),
    _cost("peak_memory_bytes", "Peak memory", "bytes"),
)
"""Counts, times and metrics on the tuning split: shown, but no claim can be about them."""
FIELDS = {"{n}": r"(\d+)", "{slice}": "(.+)"}
"""Fields in the names of families, and the values that they match."""


def describe(name: str) -> Metric:
    """The metric of that name. Raises DataError for a name that is not in the table."""
    metric = _find(name, (*RESULTS, *OTHERS))
    if metric is None:
        raise DataError(f"no metric is called {name!r}; {_names()}, and counts and times")
    return metric


def claimable(name: str) -> Metric | None:
    """The metric, if finished runs can have it; None for any other name."""
    return _find(name, RESULTS)


def check_metric(name: str) -> str:
    """The name, if finished runs can have the metric. Otherwise raises ValueError with the known ones."""
    if claimable(name) is None:
        raise ValueError(f"no run has the metric {name!r}; {_names()}")
    return name


def is_share(name: str) -> bool:
    """Whether a metric is a share of answers that finished runs can have."""
    metric = claimable(name)
    return metric is not None and metric.scale == SHARE


def at_evaluations(over: Literal["text", "task"]) -> list[str]:
    """The metrics of every evaluation over that kind of data, without shares, which depend on the data."""
    return [row.name for row in RESULTS if row.at_evaluations and row.over in ("", over) and row.scale != SHARE]


def hops_of(name: str) -> int | None:
    """The number of hops in a metric's name; None for other metrics.

    >>> hops_of("accuracy.hops_4")
    4
    """
    value = _member("accuracy.hops_{n}", name)
    return None if value is None else int(value)


def in_order(names: Iterable[str]) -> list[Metric]:
    """Each metric once: by group, then in the order of the table, members of a family by number and name."""
    patterns = [row.name for row in (*RESULTS, *OTHERS)]

    def rank(name: str) -> tuple[int, int, list[tuple[int, str]]]:
        group = GROUPS.index(describe(name).group)
        place = next(index for index, pattern in enumerate(patterns) if name == pattern or _member(pattern, name))
        # Numbers by value: k=2 before k=10.
        parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
        return group, place, parts

    return [describe(name) for name in sorted(set(names), key=rank)]


@cache
def _find(name: str, rows: tuple[Metric, ...]) -> Metric | None:
    for row in rows:
        if row.name == name:
            return row
        if (value := _member(row.name, name)) is not None:
            title = next(row.title.replace(field, value) for field in FIELDS if field in row.name)
            return row.model_copy(update={"name": name, "title": title})
    return None


def _member(pattern: str, name: str) -> str | None:
    """The value of a pattern's field in a name; None where the name does not match or the pattern has no field."""
    for field, expression in FIELDS.items():
        if field in pattern:
            match = re.fullmatch(expression.join(map(re.escape, pattern.split(field))), name)
            return match[1] if match else None
    return None


def _names() -> str:
    return f"metrics are {', '.join(row.name.replace('{n}', 'N').replace('{slice}', 'SLICE') for row in RESULTS)}"

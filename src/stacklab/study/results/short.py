"""In what the runs of a claim were too short for a verdict, as its verdict says it (the rules: results.training)."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from stacklab.base.errors import DataError
from stacklab.data.prepared import PreparedData, load_prepared, prepared_folder, unigram_loss
from stacklab.data.spec import DataSpec
from stacklab.run.paths import OutPaths
from stacklab.study.planning.plan import ArmPlan, Plan
from stacklab.study.results.collect import Row, curves
from stacklab.study.spec.claim import ClaimSpec

LATE = 0.8
"""The fall is measured over the last fifth of the steps: long enough to hold an evaluation or more at usual settings,
short enough to speak of the end."""
EARLIEST = 0.5
"""An evaluation in the first half says nothing about the end: every loss falls from there on."""
FALL = 0.01
"""A fall over a fifth of the steps that is smaller than this share of the loss is smaller than most differences that
matter."""
ERRORS = 2.0
"""Standard errors of the mean fall: a smaller fall is noise of the evaluation."""
SOLVED = 0.99
"""A run with this share of right answers has solved its task."""
UNIGRAM = 0.02
"""Word frequencies are learned in the first steps. A smaller gain on them means that the context is not used yet."""
UNIFORM = 0.1
"""A model of word frequencies is usually more than this share below a uniform one."""
EPOCH = 0.5
"""With less, most of the training text was not seen."""

Curve = Sequence[tuple[int, float]]
"""(step, loss) of every evaluation of a run, in order."""
Histories = Mapping[tuple[str, int], Sequence[Mapping[str, Any]]]
"""(arm, seed) -> evaluations."""


class Training(NamedTuple):
    """How long an arm was trained. falling: None if it was evaluated too rarely to tell. epochs: None for tasks."""

    label: str
    steps: int
    falling: bool | None
    hardly: bool
    epochs: float | None


def still_falling(curves: Sequence[Curve], steps: int) -> bool | None:
    """Whether the losses of an arm's runs, one curve a seed, still fell at the end of `steps`; None if unknown."""
    falls, before = [], []
    for curve in curves:
        step, loss = max((point for point in curve if point[0] <= LATE * steps), default=(0, math.nan))
        if step < EARLIEST * steps:
            return None
        *earlier, last = (value for _, value in curve)
        if last >= min(earlier):
            return False
        falls.append(loss - last)
        before.append(loss)
    if not falls:
        return False
    error = statistics.stdev(falls) / math.sqrt(len(falls)) if len(falls) > 1 else 0.0
    return statistics.fmean(falls) > max(FALL * statistics.fmean(before), ERRORS * error)


def hardly_learned(loss: float, *, unigram: float | None, vocab_size: int) -> bool:
    """Whether a loss in nats per token is next to that of a model that ignores the context."""
    bound = (1 - UNIFORM) * math.log(vocab_size) if unigram is None else (1 - UNIGRAM) * unigram
    return loss > bound


def read_training(
    plan: Plan,
    arm: ArmPlan,
    claim: ClaimSpec,
    rows: Sequence[Row],
    evals: Histories,
    data: Callable[[str], PreparedData | None],
) -> Training:
    """How the runs of an arm were trained, as far as a claim goes.

    rows: the arm's, all finished. evals: with those of the arm. data: fingerprint -> prepared data, None if gone.
    """
    loss = "train_probe.loss" if claim.metric.startswith("train_probe.") else "validation.loss"
    histories = {
        row.seed: [(int(one["step"]), float(one[loss])) for one in evals.get((arm.name, row.seed), ())] for row in rows
    }
    steps = arm.config.train.steps
    falling = still_falling([histories[row.seed] for row in rows if not _solved(claim, row)], steps)
    if not isinstance(arm.config.data, DataSpec):
        return Training(arm.label, steps, falling, hardly=False, epochs=None)
    prepared = data(arm.data_fingerprint)
    final = [curve[-1][1] for curve in histories.values() if curve]
    vocab_size = arm.config.model.vocab_size
    assert vocab_size is not None, "a planned arm has the vocabulary of its data"
    unigram = None if prepared is None else unigram_loss(prepared)
    hardly = bool(final) and hardly_learned(statistics.fmean(final), unigram=unigram, vocab_size=vocab_size)
    return Training(arm.label, steps, falling, hardly, _epochs(plan, arm, prepared))


def _solved(claim: ClaimSpec, row: Row) -> bool:
    return "steps_to_solve" in row.metrics or (claim.bounded and row.metrics.get(claim.metric, 0.0) >= SOLVED)


def _epochs(plan: Plan, arm: ArmPlan, prepared: PreparedData | None) -> float | None:
    """Training tokens of a run as a multiple of those of an epoch; None if that is not known any more."""
    if arm.data_fingerprint == plan.data_fingerprint:
        facts = plan.data
    elif prepared is not None:
        facts = prepared.manifest
    else:
        return None
    an_epoch = facts.get("splits", {}).get("train", {}).get("tokens_per_epoch")
    train = arm.config.train
    return train.steps * train.batch_size * arm.config.data.block_size / an_epoch if an_epoch else None


def prepared_data(out: Path, fingerprint: str) -> PreparedData | None:
    """The prepared data of a fingerprint; None if they are not in the cache, whole."""
    try:
        return load_prepared(prepared_folder(OutPaths(out).cache, fingerprint))
    except DataError:
        return None


LONGEST = 80
"""Characters of a text: it is part of a verdict in a table."""
DEMONSTRATION = "at a scale that only shows the machinery"


class Shortfall(NamedTuple):
    """One reason, and the label of the arm that it holds for, or "both"; empty if the text names no arm."""

    who: str
    text: str

    def sentence(self, *, labels: bool) -> str:
        who = self.who if labels or self.who in ("both", "") else "one arm"
        return f"{who} {self.text}".strip()


def too_short(plan: Plan, rows: Sequence[Row], out: Path) -> dict[str, str]:
    """Contrast -> in what its runs were too short, such as "at 60 steps, both still falling"; only those that were.

    Raises DataError for evaluations that cannot be read.
    """
    evals = curves(plan, out, "evals")
    data = cache(lambda fingerprint: prepared_data(out, fingerprint))
    finished = {name: [row for row in rows if row.arm == name] for name in (arm.name for arm in plan.arms)}
    finished = {name: own for name, own in finished.items() if all(row.status == "finished" for row in own)}
    texts = {}
    for contrast in plan.contrasts:
        arms = (contrast.claim.arm, contrast.against)
        if all(name in finished for name in arms):
            pair = [read_training(plan, plan.arm(name), contrast.claim, finished[name], evals, data) for name in arms]
            texts[contrast.id] = shortfall_text(pair) or _demonstration(plan)
    return {name: text for name, text in texts.items() if text}


def shortfall_text(pair: Sequence[Training]) -> str:
    """In what the runs of two arms were too short; empty if they were long enough.

    Where it would be too long, "one arm" stands for a label, and then the last reasons are left out.
    """
    reasons = list(_shortfalls(pair))
    steps = " and ".join(f"{steps:,}" for steps in sorted({arm.steps for arm in pair}))
    for kept in range(len(reasons), 0, -1):
        for labels in (True, False):
            parts = [f"at {steps} steps", *(reason.sentence(labels=labels) for reason in reasons[:kept])]
            text = ", ".join(parts)
            if len(text) <= LONGEST:
                return text
    return f"at {steps} steps" if reasons else ""


def _shortfalls(pair: Sequence[Training]) -> Iterator[Shortfall]:
    judged: tuple[tuple[str, Callable[[Training], bool]], ...] = (
        ("still falling", lambda arm: arm.falling is True),
        ("with too few evaluations to tell", lambda arm: arm.falling is None),
        ("hardly better than word frequencies", lambda arm: arm.hardly),
    )
    for text, holds in judged:
        if short := [arm.label for arm in pair if holds(arm)]:
            yield Shortfall(_quoted(short[0]) if len(short) == 1 else "both", text)
    few = [arm for arm in pair if arm.epochs is not None and arm.epochs < EPOCH]
    if few:
        shares = " and ".join(sorted({f"{arm.epochs:.2g}" for arm in few}, key=float))
        yield Shortfall(_quoted(few[0].label) if len(few) == 1 else "", f"after {shares} of an epoch")


def _quoted(label: str) -> str:
    """A label with a comma would read as two items of the list."""
    return f'"{label}"' if "," in label else label


def _demonstration(plan: Plan) -> str:
    return DEMONSTRATION if plan.study.scales[plan.scale].demonstration else ""

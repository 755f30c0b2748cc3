"""Whether the runs of an arm were trained long enough for a verdict on a claim.

still falling: from the latest evaluation at or before 80 % of the steps to the last, the mean loss fell by more than
1 % of itself and by more than twice its standard error over seeds, and at every seed the last evaluation is the best.
Runs that solved their task have nothing left to learn and are left out. An arm without an evaluation between half and
80 % of the steps cannot be judged, which qualifies a verdict too: else seldom evaluations would hide the fall.

hardly learned (text): the mean final loss is less than 2 % below that of a unigram model of the training text, or,
where the prepared data are gone, less than 10 % below that of a uniform one.

little of an epoch (text): the run trained on fewer than half of the tokens of an epoch.

The loss is that of the train probe for claims about it, else the validation loss. Whether a stack fails at a task of a
grid is judged by its cell (see results.cell).
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stacklab.base.errors import DataError
from stacklab.data.prepared import PreparedData, load_prepared, prepared_folder
from stacklab.data.spec import DataSpec
from stacklab.data.unigram import unigram_loss
from stacklab.run.paths import OutPaths
from stacklab.study.planning.plan import ArmPlan, Plan
from stacklab.study.results.collect import Row
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

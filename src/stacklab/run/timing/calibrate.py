"""Measures the cost of a run on this machine, part by part. Nothing is written."""

import statistics
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from stacklab.run.execute import Execution, peak_memory
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.run.timing.cost import RunCost
from stacklab.run.timing.rounds import in_turn

FEWEST_STEPS, MOST_STEPS, STEP_SECONDS = 3, 30, 2.0
"""Steps are measured one by one for STEP_SECONDS, within the limits of their number."""
SHORT_ANSWER, LONG_ANSWER = 4, 12
"""Tokens of the two answers whose difference is the cost of a token."""


def answer(question: Any, out: Path) -> dict[str, Any]:
    """The cost of a RunSpec, both as plain values."""
    return measure(RunSpec.model_validate(question), out).dump()


def measure(spec: RunSpec, out: Path) -> RunCost:
    """Measure every part once, steps several times. The data must be prepared. Raises DataError when they are not."""
    began = time.perf_counter()
    execution = Execution(spec, OutPaths(out).run(spec.run_id), lambda: False)
    start = time.perf_counter() - began
    samples = _timed(lambda: execution.feed.samples(execution.model))
    evaluation = _timed(lambda: execution.feed.measure(execution.model))
    step = _step_seconds(execution)
    # The untrained model generates all tokens, while a trained one may stop earlier: an upper bound.
    short = _timed(lambda: execution.feed.answer(execution.model, SHORT_ANSWER))
    long = _timed(lambda: execution.feed.answer(execution.model, LONG_ANSWER))
    token = max(0.0, (long - short) / (LONG_ANSWER - SHORT_ANSWER))
    answers = short + token * max(0, spec.evaluate.answer_tokens - SHORT_ANSWER)
    peak_bytes = peak_memory(execution.trainer.device)
    return RunCost(
        start=start + samples, step=step, evaluation=evaluation, finish=samples + answers, peak_bytes=peak_bytes
    )


def _step_seconds(execution: Execution) -> float:
    execution.train_step(0)
    steps = count(1)
    (seconds,) = in_turn(
        [lambda: _timed(lambda: execution.train_step(next(steps)))],
        fewest=FEWEST_STEPS,
        most=MOST_STEPS,
        seconds=STEP_SECONDS,
    )
    return statistics.median(seconds)


def _timed(part: Callable[[], object]) -> float:
    began = time.perf_counter()
    part()
    return time.perf_counter() - began

"""What a run costs on this machine, measured on its parts in a process of its own. Nothing is trained or written.

`python -m stacklab.run.timing.calibrate OUT THREADS` reads a RunSpec from standard input and answers in JSON.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stacklab.run.environment import prepare_process
from stacklab.run.execute import Execution, peak_memory
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.run.timing.cost import RunCost

FEWEST_STEPS, MOST_STEPS, STEP_SECONDS = 3, 30, 2.0
"""Steps are measured for so long, but at least and at most so many."""
SHORT_ANSWER, LONG_ANSWER = 4, 12
"""Tokens of the two answers whose difference tells what a token costs."""


def measure(spec: RunSpec, out: Path, *, threads: int) -> RunCost:
    """Measure every part once, steps several times. The data must be prepared. Raises DataError when they are not."""
    prepare_process(threads)
    began = time.perf_counter()
    execution = Execution(spec, OutPaths(out).run(spec.run_id), lambda: False)
    start = time.perf_counter() - began
    samples = _timed(lambda: execution.feed.samples(execution.model))
    evaluation = _timed(lambda: execution.feed.measure(execution.model))
    step = _step_seconds(execution)
    # The untrained model runs on to the last token, which a trained one may not: an upper bound.
    short = _timed(lambda: execution.feed.answer(execution.model, SHORT_ANSWER))
    long = _timed(lambda: execution.feed.answer(execution.model, LONG_ANSWER))
    token = max(0.0, (long - short) / (LONG_ANSWER - SHORT_ANSWER))
    answers = short + token * max(0, spec.evaluate.answer_tokens - SHORT_ANSWER)
    return RunCost(
        start=start + samples, step=step, evaluation=evaluation, finish=samples + answers, peak_bytes=peak_memory()
    )


def _step_seconds(execution: Execution) -> float:
    execution.train_step(0)
    seconds: list[float] = []
    while len(seconds) < FEWEST_STEPS or (sum(seconds) < STEP_SECONDS and len(seconds) < MOST_STEPS):
        seconds.append(_timed(lambda: execution.train_step(1 + len(seconds))))
    return statistics.median(seconds)


def _timed(part: Callable[[], object]) -> float:
    began = time.perf_counter()
    part()
    return time.perf_counter() - began


if __name__ == "__main__":
    cost = measure(RunSpec.model_validate_json(sys.stdin.read()), Path(sys.argv[1]), threads=int(sys.argv[2]))
    sys.stdout.write(cost.model_dump_json())

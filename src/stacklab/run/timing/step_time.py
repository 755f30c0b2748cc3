"""Times the training steps of two runs, interleaved. Nothing is written."""

import time
from itertools import count
from pathlib import Path
from typing import Any

from stacklab.run.execute import Execution
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.run.timing.rounds import TimedBlock, in_turn, sized

FEWEST_ROUNDS, MOST_ROUNDS, ROUND_SECONDS = 5, 25, 5.0
"""Rounds are repeated for ROUND_SECONDS, within the limits of their number."""
BLOCK_SECONDS, MOST_STEPS = 0.15, 20
"""A round trains each run for about BLOCK_SECONDS, at most MOST_STEPS steps."""


def answer(question: Any, out: Path) -> list[list[float]]:
    """`measure` for two RunSpecs as plain values."""
    left, right = (RunSpec.model_validate(row) for row in question)
    return measure((left, right), out)


def measure(specs: tuple[RunSpec, RunSpec], out: Path) -> list[list[float]]:
    """Seconds per step of both, by round. The data must be prepared. Raises DataError when they are not."""
    blocks = [_block(spec, out) for spec in specs]
    return in_turn(blocks, fewest=FEWEST_ROUNDS, most=MOST_ROUNDS, seconds=ROUND_SECONDS)


def _block(spec: RunSpec, out: Path) -> TimedBlock:
    execution = Execution(spec, OutPaths(out).run(spec.run_id), lambda: False)
    steps = count()

    def train(number: int) -> float:
        began = time.perf_counter()
        for step in (next(steps) for _ in range(number)):
            execution.train_step(step)
        return (time.perf_counter() - began) / number

    return sized(train, seconds=BLOCK_SECONDS, most=MOST_STEPS)

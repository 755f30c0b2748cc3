"""The time of a training step of two runs, taken in turn in one process. Nothing is written.

`python -m stacklab.run.timing.step_time OUT THREADS` reads a JSON list of two RunSpecs from standard input and answers
with their seconds per step, a list of rounds each.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from stacklab.run.environment import prepare_process
from stacklab.run.execute import Execution
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec

FEWEST_ROUNDS, MOST_ROUNDS, ROUND_SECONDS = 5, 25, 5.0
"""Rounds are measured for so long, but at least and at most so many."""
BLOCK_SECONDS, MOST_STEPS = 0.15, 20
"""A round takes so many steps of each in a row that they last so long, within limits."""


def measure(specs: tuple[RunSpec, RunSpec], out: Path, *, threads: int) -> tuple[list[float], list[float]]:
    """Seconds per step of both, by round. The data must be prepared. Raises DataError when they are not.

    Each round times a block of steps of one and then of the other, the order changing from round to round: what slows
    the machine for a while slows both.
    """
    prepare_process(threads)
    blocks = [_block(spec, out) for spec in specs]
    found: tuple[list[float], list[float]] = ([], [])
    began = time.perf_counter()
    while len(found[0]) < FEWEST_ROUNDS or (
        len(found[0]) < MOST_ROUNDS and time.perf_counter() - began < ROUND_SECONDS
    ):
        for index in (0, 1) if len(found[0]) % 2 else (1, 0):
            found[index].append(blocks[index]())
    return found


def _block(spec: RunSpec, out: Path) -> Callable[[], float]:
    """A call that trains some steps and returns the seconds of one. Two steps warm it up."""
    execution = Execution(spec, OutPaths(out).run(spec.run_id), lambda: False)
    steps = count()

    def seconds_of(number: int) -> float:
        began = time.perf_counter()
        for step in (next(steps) for _ in range(number)):
            execution.train_step(step)
        return (time.perf_counter() - began) / number

    seconds_of(1)
    size = min(MOST_STEPS, math.ceil(BLOCK_SECONDS / seconds_of(1)))
    return lambda: seconds_of(size)


if __name__ == "__main__":
    left, right = (RunSpec.model_validate(row) for row in json.load(sys.stdin))
    sys.stdout.write(json.dumps(measure((left, right), Path(sys.argv[1]), threads=int(sys.argv[2]))))

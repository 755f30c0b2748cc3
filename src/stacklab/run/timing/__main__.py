"""`python -m stacklab.run.timing MEASUREMENT OUT THREADS`: a question in JSON on standard input, its answer in JSON on
standard output. Nothing is written.

calibrate: a RunSpec -> its RunCost. step_time: two RunSpecs -> seconds per step of each, by round. attention_cost:
AttentionForms -> seconds of a micro-batch through each layer, by round.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stacklab.run.environment import prepare_process
from stacklab.run.timing import attention_cost, calibrate, step_time

MEASUREMENTS: dict[str, Callable[[Any, Path], Any]] = {
    "calibrate": calibrate.answer,
    "step_time": step_time.answer,
    "attention_cost": attention_cost.answer,
}


def main(measurement: str, out: str, threads: str) -> None:
    """Measure with that number of threads, over the prepared data of the folder `out`."""
    if measurement not in MEASUREMENTS:
        raise SystemExit(f"no measurement {measurement!r}; there are {', '.join(MEASUREMENTS)}")
    prepare_process(int(threads))
    sys.stdout.write(json.dumps(MEASUREMENTS[measurement](json.load(sys.stdin), Path(out))))


if __name__ == "__main__":
    main(*sys.argv[1:])

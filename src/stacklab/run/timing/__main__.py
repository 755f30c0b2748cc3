"""`python -m stacklab.run.timing MEASUREMENT OUT THREADS`: reads a request in JSON from standard input and prints the
result in JSON. Nothing is written.

calibrate: a RunSpec -> its RunCost. step_time: two RunSpecs -> seconds per step of each, by round. attention_cost:
AttentionForms -> seconds of a micro-batch through each layer, by round. device: TrainSpecs -> what each trains on, or
why it cannot be trained here.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

from stacklab.run.environment import prepare_process

MEASUREMENTS = ("calibrate", "step_time", "attention_cost", "device")
"""One file per measurement, beside this one, each with a function `answer`."""


def main(measurement: str, out: str, threads: str) -> None:
    """Measure with `threads` threads, on the prepared data of the output folder `out`."""
    if measurement not in MEASUREMENTS:
        raise SystemExit(f"no measurement {measurement!r}; there are {', '.join(MEASUREMENTS)}")
    prepare_process(int(threads))
    answer = import_module(f"stacklab.run.timing.{measurement}").answer
    sys.stdout.write(json.dumps(answer(json.load(sys.stdin), Path(out))))


if __name__ == "__main__":
    main(*sys.argv[1:])

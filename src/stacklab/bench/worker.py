"""Runs one contestant in a separate process, to measure its peak memory: a measurement per line of standard input."""

import json
import sys
import time

from stacklab.base.errors import StacklabError
from stacklab.bench.contestants import CONTESTANTS, choice_of
from stacklab.bench.spec import StepSpec
from stacklab.run.environment import prepare_process
from stacklab.run.execute import peak_memory
from stacklab.run.timing.rounds import synchronise


def main(name: str, spec_text: str) -> None:
    """Print, for every number of a measurement, the seconds of one of its steps and the peak memory so far, in JSON.

    A contestant that cannot start says `error`, one that fails in a step says `failure`.
    """
    spec = StepSpec.model_validate_json(spec_text)
    prepare_process(spec.threads)
    device = choice_of(spec).device
    try:
        step = CONTESTANTS[name](spec)
    except StacklabError as error:
        _say({"error": str(error)})
        return
    _say({"ready": True})
    for line in sys.stdin:
        first = int(line) * spec.steps
        try:
            synchronise(device)
            began = time.perf_counter()
            for number in range(first, first + spec.steps):
                step(number)
            synchronise(device)
        except RuntimeError as error:
            # Memory of the card, or a compiler: the other contestants go on.
            _say({"failure": str(error).strip().splitlines()[0]})
            raise
        _say({"seconds": (time.perf_counter() - began) / spec.steps, "peak_bytes": peak_memory(device)})


def _say(row: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Runs one contestant in a separate process, to measure its peak memory: a step per line of standard input."""

import json
import sys
import time

import torch

from stacklab.base.errors import StacklabError
from stacklab.bench.contestants import CONTESTANTS
from stacklab.bench.spec import StepSpec
from stacklab.run.environment import prepare_process
from stacklab.run.execute import peak_memory


def main(name: str, spec_text: str) -> None:
    """Print, for every step number, the seconds of the step and the peak memory so far, in JSON."""
    spec = StepSpec.model_validate_json(spec_text)
    prepare_process(spec.threads)
    try:
        step = CONTESTANTS[name](spec)
    except StacklabError as error:
        _say({"error": str(error)})
        return
    _say({"ready": True})
    for line in sys.stdin:
        began = time.perf_counter()
        step(int(line))
        _say({"seconds": time.perf_counter() - began, "peak_bytes": peak_memory(torch.device("cpu"))})


def _say(row: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

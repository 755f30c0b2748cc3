"""Whole training steps against Hugging Face's GPT-2, interleaved."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stacklab.base.env import training_environment
from stacklab.base.errors import MissingExtraError, StacklabError
from stacklab.bench.spec import StepSpec
from stacklab.study.engines.machine import cores

WARM_UP = 2
NAMES = ("stacklab", "peer", "products")


@dataclass
class Contestant:
    """A worker process and its answers so far."""

    process: "subprocess.Popen[str]"
    rows: list[dict[str, float]]

    def step(self, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        self.rows.append(self.answer())

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise StacklabError(f"a benchmark worker died with exit code {self.process.wait()}; out of memory?")
        row: dict[str, Any] = json.loads(line)
        if "error" in row:
            raise MissingExtraError(row["error"])
        return row


def run_bench(*, pairs: int = 8, threads: int | None = None, layers: tuple[int, ...] = (1, 12)) -> dict[str, Any]:
    """Time `pairs` steps of each contestant in turn, for each depth, after a warm-up that is not counted.

    Raises MissingExtraError without transformers.
    """
    specs = [StepSpec(layers=depth, threads=threads or cores()) for depth in layers]
    return {"pairs": pairs, "results": [_measure(spec, pairs) for spec in specs]}


def summarise(spec: StepSpec, seconds: dict[str, list[float]], peaks: dict[str, float], flops: int) -> dict[str, Any]:
    """Medians over the pairs. product_share: share of the matrix-product rate measured in the same pair."""
    ratios = [peer / own for own, peer in zip(seconds["stacklab"], seconds["peer"], strict=True)]
    shares = [alone / own for own, alone in zip(seconds["stacklab"], seconds["products"], strict=True)]
    return {
        "spec": spec.dump(),
        "median_seconds": {name: statistics.median(values) for name, values in seconds.items()},
        "speed_ratio": statistics.median(ratios),
        "speed_ratios": ratios,
        "memory_ratio": peaks["stacklab"] / peaks["peer"],
        "peak_bytes": {name: peaks[name] for name in ("stacklab", "peer")},
        "product_share": statistics.median(shares),
        "product_rate": flops / statistics.median(seconds["products"]),
    }


def render(result: dict[str, Any]) -> str:
    """The results as text: ratios first, since absolute times vary with the load of the machine."""
    lines = [
        f"medians of {result['pairs']} interleaved pairs; peer: transformers GPT2LMHeadModel (sdpa, fused AdamW)",
        "",
    ]
    lines.append(
        f"{'layers':>6} {'tokens/s ratio':>15} {'(range)':>13} {'peak memory ratio':>18} {'of product rate':>16}"
    )
    for row in result["results"]:
        low, high = min(row["speed_ratios"]), max(row["speed_ratios"])
        lines.append(
            f"{row['spec']['layers']:>6} {row['speed_ratio']:>15.2f} {f'{low:.2f}-{high:.2f}':>13} "
            f"{row['memory_ratio']:>18.2f} {row['product_share']:>16.0%}"
        )
    return "\n".join(lines)


def _measure(spec: StepSpec, pairs: int) -> dict[str, Any]:
    from stacklab.bench.contestants import product_flops

    with contextlib.ExitStack() as stack:
        contestants = {name: stack.enter_context(_started(name, spec)) for name in NAMES}
        for number in range(WARM_UP + pairs):
            order = NAMES if number % 2 else NAMES[::-1]
            for name in order:
                contestants[name].step(number)
            _report(spec, number, pairs, contestants)
    seconds = {name: [row["seconds"] for row in one.rows[WARM_UP:]] for name, one in contestants.items()}
    peaks = {name: one.rows[-1]["peak_bytes"] for name, one in contestants.items()}
    return summarise(spec, seconds, peaks, product_flops(spec))


def _report(spec: StepSpec, number: int, pairs: int, contestants: dict[str, Contestant]) -> None:
    what = "warm-up" if number < WARM_UP else f"pair {number - WARM_UP + 1}/{pairs}"
    times = ", ".join(f"{name} {one.rows[-1]['seconds']:.2f} s" for name, one in contestants.items())
    sys.stderr.write(f"{spec.layers} layers, {what}: {times}\n")


@contextlib.contextmanager
def _started(name: str, spec: StepSpec) -> Iterator[Contestant]:
    command = [sys.executable, "-m", "stacklab.bench.worker", name, spec.model_dump_json()]
    # Each contestant runs as its users run it: our engines set this environment for every run, the peer does not.
    environment = dict(os.environ) if name == "peer" else training_environment()
    quiet = environment | {"TRANSFORMERS_VERBOSITY": "error"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)
    contestant = Contestant(process, [])
    try:
        contestant.answer()
        yield contestant
    finally:
        process.kill()
        process.communicate()

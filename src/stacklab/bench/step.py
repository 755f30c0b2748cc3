"""Whole training steps against Hugging Face's GPT-2, interleaved."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from stacklab.base.env import training_environment
from stacklab.base.errors import MissingExtraError, SpecError, StacklabError
from stacklab.base.hardware import ended
from stacklab.base.spec import first_fault
from stacklab.bench import step_on_card
from stacklab.bench.spec import StepSpec
from stacklab.bench.step_on_card import Seconds
from stacklab.study.engines.machine import cores
from stacklab.train.spec import TrainSpec

WARM_UP = 2
CARD_STEPS = 5
"""Steps of a measurement on a card."""
CPU_BATCH, CARD_BATCH = 4, 16


@dataclass
class Contestant:
    """A worker process and its answers so far."""

    process: "subprocess.Popen[str]"
    rows: list[dict[str, float]] = field(default_factory=list)

    def send(self, number: int) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{number}\n")
            self.process.stdin.flush()

    def receive(self) -> None:
        self.rows.append(self.answer())

    def measure(self, number: int) -> None:
        self.send(number)
        self.receive()

    def answer(self) -> dict[str, Any]:
        """Raises MissingExtraError or StacklabError where the worker could not start or has failed."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ended("a benchmark worker died", self.process.wait())
        row: dict[str, Any] = json.loads(line)
        if "error" in row:
            raise MissingExtraError(row["error"])
        if "failure" in row:
            raise StacklabError(row["failure"])
        return row


def run_bench(
    *,
    pairs: int = 8,
    threads: int | None = None,
    layers: Sequence[int] = (1, 12),
    d_model: Sequence[int] = (384,),
    batch: int | None = None,
    context: int = 512,
    device: str = "auto",
    precision: str = "auto",
    compile: str = "auto",
) -> dict[str, Any]:
    """Time each contestant in turn, `pairs` times, for each width and depth, after a warm-up that is not counted.

    batch: sequences; None is CPU_BATCH or CARD_BATCH. device, precision, compile: as in TrainSpec. On a card blocks are
    measured compiled and not, and a contestant that fails is left out with its reason.

    Raises SpecError for a size or a setting that does not exist, DeviceError for what the device cannot do, on a CPU
    MissingExtraError without transformers.
    """
    from stacklab.bench.contestants import choice_of, contestant_names
    from stacklab.train.device import pick_device

    requested = _train_spec(device=device, precision=precision, compile=compile)
    place = pick_device(requested.device)
    on_card = place.type == "cuda"
    names = contestant_names(place, requested.compile)
    settings = {
        "batch": batch or (CARD_BATCH if on_card else CPU_BATCH),
        "context": context,
        "threads": threads or cores(),
        "device": place.type,
        "precision": precision,
        "steps": CARD_STEPS if on_card else 1,
    }
    specs = [_step_spec(layers=depth, d_model=width, **settings) for width in d_model for depth in layers]
    choice = choice_of(specs[0])
    facts = step_on_card.facts(choice) if on_card else None
    results = []
    for spec in specs:
        seconds, peaks, failures = _measure(spec, names, pairs, on_card=on_card)
        if facts:
            results.append(step_on_card.summarise(spec, seconds, peaks, failures, facts["peak_rate"]))
        else:
            results.append(summarise(spec, seconds, peaks))
    return {"pairs": pairs, **({"card": facts} if facts else {}), "results": results}


def _train_spec(**settings: str) -> TrainSpec:
    """The settings as a spec. Raises SpecError naming one that does not exist."""
    try:
        return TrainSpec.model_validate(settings)
    except ValidationError as error:
        raise SpecError(f"bench step: {first_fault(error)}") from None


def _step_spec(**settings: Any) -> StepSpec:
    """Raises SpecError for a size that no model has."""
    try:
        spec = StepSpec.model_validate(settings)
        _ = spec.model
    except ValidationError as error:
        raise SpecError(f"bench step: {first_fault(error)}") from None
    return spec


def summarise(spec: StepSpec, seconds: Seconds, peaks: dict[str, float]) -> dict[str, Any]:
    """Medians over the pairs. product_share: share of the matrix-product rate measured in the same pair."""
    from stacklab.bench.products import product_flops

    own, other = (next(name for name in seconds if name.startswith(system)) for system in ("stacklab", "peer"))
    return {
        "spec": spec.dump(),
        "median_seconds": {name: statistics.median(values) for name, values in seconds.items()},
        **step_on_card.against(own, other, seconds, peaks),
        "peak_bytes": {name: peaks[name] for name in (own, other)},
        "product_share": statistics.median(step_on_card.ratios(seconds, "products", own)),
        "product_rate": product_flops(spec) / statistics.median(seconds["products"]),
    }


def render(result: dict[str, Any]) -> str:
    """The results as text: ratios first, since absolute times vary with the load of the machine."""
    if "card" in result:
        return step_on_card.render(result)
    lines = [
        f"medians of {result['pairs']} interleaved pairs; peer: transformers GPT2LMHeadModel (sdpa, fused AdamW)",
        "",
    ]
    lines.append(
        f"{'d_model':>7} {'layers':>6} {'tokens/s ratio':>15} {'(range)':>13} {'peak memory ratio':>18} "
        f"{'of product rate':>16}"
    )
    for row in result["results"]:
        low, high = min(row["speed_ratios"]), max(row["speed_ratios"])
        lines.append(
            f"{row['spec']['d_model']:>7} {row['spec']['layers']:>6} {row['speed_ratio']:>15.2f} "
            f"{f'{low:.2f}-{high:.2f}':>13} {row['memory_ratio']:>18.2f} {row['product_share']:>16.0%}"
        )
    return "\n".join(lines)


@dataclass
class Race:
    """The contestants that are left, and why the others failed: one that fails ends the race unless it may."""

    contestants: dict[str, Contestant]
    may_fail: bool
    failures: dict[str, str] = field(default_factory=dict)

    def each(self, names: Sequence[str], act: Callable[[Contestant], object]) -> None:
        for name in names:
            try:
                act(self.contestants[name])
            except StacklabError as error:
                if not self.may_fail:
                    raise
                self.failures[name] = str(error)
                del self.contestants[name]

    def measure(self, number: int, *, at_once: bool) -> None:
        """One measurement of each, in turn, the order reversed from one to the next, or of all at once."""
        order = list(self.contestants)[:: 1 if number % 2 else -1]
        if at_once:
            self.each(order, lambda one: one.send(number))
            self.each(order, Contestant.receive)
        else:
            self.each(order, lambda one: one.measure(number))


def _measure(
    spec: StepSpec, names: Sequence[str], pairs: int, *, on_card: bool
) -> tuple[Seconds, dict[str, float], dict[str, str]]:
    """By contestant: seconds of a step in each pair, peak bytes; and why others failed."""
    with contextlib.ExitStack() as stack:
        race = Race({name: stack.enter_context(_started(name, spec)) for name in names}, may_fail=on_card)
        race.each(names, Contestant.answer)
        for number in range(WARM_UP + pairs):
            # Compiling takes most of a warm-up on a card, and the contestants compile at the same time.
            race.measure(number, at_once=on_card and number < WARM_UP)
            _report(spec, number, pairs, race.contestants)
        seconds = {name: [row["seconds"] for row in one.rows[WARM_UP:]] for name, one in race.contestants.items()}
        return seconds, {name: one.rows[-1]["peak_bytes"] for name, one in race.contestants.items()}, race.failures


def _report(spec: StepSpec, number: int, pairs: int, contestants: dict[str, Contestant]) -> None:
    what = "warm-up" if number < WARM_UP else f"pair {number - WARM_UP + 1}/{pairs}"
    times = ", ".join(f"{name} {one.rows[-1]['seconds']:.3g} s" for name, one in contestants.items())
    sys.stderr.write(f"d_model {spec.d_model}, {spec.layers} layers, {what}: {times}\n")


@contextlib.contextmanager
def _started(name: str, spec: StepSpec) -> Iterator[Contestant]:
    command = [sys.executable, "-m", "stacklab.bench.worker", name, spec.model_dump_json()]
    # Each contestant runs as its users run it: our engines set this environment for every run, the peer does not.
    environment = dict(os.environ) if name.startswith("peer") else training_environment()
    quiet = environment | {"TRANSFORMERS_VERBOSITY": "error"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)
    try:
        yield Contestant(process)
    finally:
        process.kill()
        process.communicate()

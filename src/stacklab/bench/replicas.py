"""Runs in stacks against one process per run, at the usual size of the tasks, interleaved."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stacklab.base.env import training_environment
from stacklab.base.hardware import ended
from stacklab.model.spec import InitSpec, ModelSpec, NormSpec
from stacklab.run.spec import RunSpec
from stacklab.tasks.data import TaskData
from stacklab.tasks.question_answering import QuestionAnswering
from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.spec import Device, EvaluateSpec, SampleSpec, ScheduleSpec, TrainSpec


class Setup(NamedTuple):
    """processes: of each arrangement. seeds: number of runs in stacks. alone, together: steps of each run per
    measurement: a few seconds, so that both see the same load of the machine."""

    processes: int
    seeds: int
    alone: int
    together: int


CPU = Setup(processes=2, seeds=8, alone=40, together=24)
CARD = Setup(processes=1, seeds=32, alone=400, together=240)

Workers = list["subprocess.Popen[str]"]


def run_spec(seed: int, *, heads: int, device: Device = "auto") -> RunSpec:
    """Question answering in two layers of attention alone, d_model 64, 256 sequences of 17 positions."""
    data = TaskData(task=QuestionAnswering())
    model = ModelSpec(
        vocab_size=data.task.vocab_size,
        d_model=64,
        num_layers=2,
        num_heads=heads,
        d_ff=0,
        context_length=data.block_size,
        tie_embeddings=False,
        dropout=0.0,
        attention_dropout=0.0,
        norm=NormSpec(placement="pre", final=False),
        init=InitSpec(token_std=0.5),
    )
    optimizer = AdamWSpec(learning_rate=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = ScheduleSpec(kind="constant", warmup_steps=100)
    train = TrainSpec(
        steps=1_000_000,
        batch_size=256,
        optimizer=optimizer,
        schedule=schedule,
        device=device,
        checkpoint_every=1000,
    )
    evaluate = EvaluateSpec(every=250, problems=0)
    return RunSpec(
        data=data, data_fingerprint="bench", model=model, train=train, evaluate=evaluate, sample=SampleSpec(), seed=seed
    )


def run_bench(
    *, pairs: int = 8, seeds: int | None = None, heads: Sequence[int] = (1, 4), device: Device = "auto"
) -> dict[str, Any]:
    """Time both arrangements in turn, `pairs` times after a warm-up that is not counted.

    seeds: number of runs in stacks; None is that of CPU or CARD. Raises DeviceError for a device that is not there.
    """
    from stacklab.train.device import pick_device

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    on_card = pick_device(device).type == "cuda"
    setup = CARD if on_card else CPU
    if seeds is not None:
        setup = setup._replace(seeds=seeds)
    results = [_measure(one, pairs, setup, device) for one in heads]
    return {"pairs": pairs, "device": "cuda" if on_card else "cpu", **setup._asdict(), "load": load, "results": results}


def summarise(heads: int, rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians over the pairs. rate: steps x runs per second; cpu_rate: per second of processor time, which other
    programs on the machine distort less; drawing: share of the time spent on batches."""
    pairs = list(zip(rows["together"], rows["alone"], strict=True))
    ratios = {key: [own[key] / peer[key] for own, peer in pairs] for key in ("rate", "cpu_rate")}
    medians = {
        name: {key: statistics.median(row[key] for row in timed) for key in timed[0]} for name, timed in rows.items()
    }
    ratio_medians = {f"{key}_ratio": statistics.median(values) for key, values in ratios.items()}
    return {"heads": heads, **ratio_medians, "ratios": ratios, **medians}


def render(result: dict[str, Any]) -> str:
    """The results as text: ratios first, since absolute times vary with the load of the machine."""
    lines = [
        f"medians of {result['pairs']} interleaved pairs on {result['processes']} processes of one thread "
        f"({result['device']}): {result['seeds']} seeds in stacks against a process per run",
        "",
        f"{'heads':>5} {'steps x seeds':>13} {'(range)':>11} {'per processor second':>21} {'(range)':>11} "
        f"{'per second':>11} {'drawing batches':>17}",
    ]
    for row in result["results"]:
        wall, cpu = (f"{min(values):.2f}-{max(values):.2f}" for values in row["ratios"].values())
        own, peer = row["together"], row["alone"]
        rates, shares = f"{own['rate']:.0f} vs {peer['rate']:.0f}", f"{own['drawing']:.1%} vs {peer['drawing']:.1%}"
        lines.append(
            f"{row['heads']:>5} {row['rate_ratio']:>13.2f} {wall:>11} {row['cpu_rate_ratio']:>21.2f} {cpu:>11} "
            f"{rates:>11} {shares:>17}"
        )
    return "\n".join(lines)


def _measure(heads: int, pairs: int, setup: Setup, device: Device) -> dict[str, Any]:
    numbers = [str(seed) for seed in range(1, setup.seeds + 1)]
    stacks = {
        "alone": [[seed] for seed in numbers[: setup.processes]],
        "together": [numbers[place :: setup.processes] for place in range(setup.processes)],
    }
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in stacks}
    with contextlib.ExitStack() as held:
        workers = {
            name: [held.enter_context(_started(name, heads, own, device)) for own in stacks[name]] for name in stacks
        }
        for number in range(pairs + 1):
            for name in sorted(stacks, reverse=number % 2 == 0):
                runs = sum(len(own) for own in stacks[name])
                rows[name].append(_timed(workers[name], getattr(setup, name), runs))
            rates = ", ".join(f"{name} {timed[-1]['rate']:.0f}" for name, timed in rows.items())
            what = "warm-up" if number == 0 else f"pair {number}/{pairs}"
            sys.stderr.write(f"{heads} heads, {what}: {rates} steps x seeds per second\n")
    return summarise(heads, {name: timed[1:] for name, timed in rows.items()})


def _timed(workers: Workers, steps: int, runs: int) -> dict[str, float]:
    """Run all workers at once and time them until the last is done."""
    began = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{steps}\n")
        worker.stdin.flush()
    answers = [_answer(worker) for worker in workers]
    seconds = time.perf_counter() - began
    drawing = sum(row["drawing"] for row in answers) / sum(row["seconds"] for row in answers)
    cpu = sum(row["cpu_seconds"] for row in answers)
    return {"rate": steps * runs / seconds, "cpu_rate": steps * runs / cpu, "drawing": drawing}


def _answer(worker: "subprocess.Popen[str]") -> dict[str, Any]:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise ended("a benchmark worker died", worker.wait())
    row: dict[str, Any] = json.loads(line)
    return row


@contextlib.contextmanager
def _started(name: str, heads: int, seeds: Sequence[str], device: Device) -> Iterator["subprocess.Popen[str]"]:
    with tempfile.TemporaryDirectory(prefix="stacklab-bench-") as out:
        arguments = [name, str(heads), ",".join(seeds), device, out]
        command = [sys.executable, "-m", "stacklab.bench.replicas_worker", *arguments]
        environment = training_environment() | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            _answer(process)
            yield process
        finally:
            process.kill()
            process.communicate()

"""Runs on a card: equal bytes, memory as planned, one compilation. Each run has a process of its own, as in a study."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.run.conftest import Bench
from tests.run.test_execute import contents

from stacklab.base.files import read_json, read_jsonl
from stacklab.model.card_memory import estimate_card_memory
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import RunPaths
from stacklab.run.spec import RunSpec
from stacklab.train.spec import ScheduleSpec, TrainSpec
from stacklab.train.step import Trainer

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

SMALL: dict[str, Any] = {"d_model": 64, "num_heads": 2, "num_layers": 2, "dropout": 0.1, "attention_dropout": 0.1}
CARD = torch.device("cuda")


def started(paths: RunPaths) -> "subprocess.Popen[bytes]":
    code = (
        "from pathlib import Path; from stacklab.base.env import apply_defaults; apply_defaults()\n"
        "from stacklab.run.execute import execute\n"
        f"assert execute(Path({str(paths.folder)!r}), threads=1) == 'finished'"
    )
    return subprocess.Popen([sys.executable, "-c", code])


def executed(paths: RunPaths) -> dict[str, bytes]:
    with started(paths) as process:
        assert process.wait() == 0
    return contents(paths)


def anew(bench: Bench, spec: RunSpec) -> RunPaths:
    paths = bench.out.run(spec.run_id)
    shutil.rmtree(paths.folder, ignore_errors=True)
    return bench.folder(spec)


@pytest.mark.parametrize("compile", ["auto", "off"])
def test_two_runs_are_equal_to_the_byte(bench: Bench, compile: str) -> None:
    spec = bench.spec(model=SMALL, device="cuda", compile=compile, steps=20)
    first = executed(anew(bench, spec))
    assert executed(anew(bench, spec)) == first
    facts = read_json(bench.out.run(spec.run_id).provenance)
    assert (facts["device"], facts["deterministic"]) == ("cuda", True)


def test_a_kill_in_the_middle_changes_no_byte(bench: Bench) -> None:
    spec = bench.spec(model=SMALL, device="cuda", steps=200, checkpoint_every=7)
    straight = executed(anew(bench, spec))
    paths = anew(bench, spec)
    target = random.Random(time.time_ns()).randint(20, 100)
    with started(paths) as process:
        while process.poll() is None and rows(paths) < target:
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
    assert not paths.result.exists(), "finished before it was killed: raise the number of steps"
    assert rows(paths) >= 20
    assert executed(paths) == straight


def rows(paths: RunPaths) -> int:
    return paths.metrics.read_bytes().count(b"\n") if paths.metrics.exists() else 0


def test_a_run_without_determinism_trains(bench: Bench) -> None:
    paths = anew(bench, bench.spec(model=SMALL, device="cuda", deterministic=False, steps=20))
    executed(paths)
    losses = [row["loss"] for row in read_jsonl(paths.metrics)]
    assert losses[-1] < losses[0]
    assert read_json(paths.provenance)["deterministic"] is False


# ---- one trainer in this process ----

BODY: dict[str, Any] = {
    "vocab_size": 8192,
    "d_model": 256,
    "num_layers": 4,
    "num_heads": 4,
    "context_length": 256,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Compiled code and memory of other tests are dropped."""
    torch._dynamo.reset()
    torch.cuda.empty_cache()
    yield
    torch._dynamo.reset()


def trainer(model: dict[str, Any], **train: Any) -> Trainer:
    settings = {"batch_size": 8, "device": "cuda", "schedule": ScheduleSpec(warmup_steps=0)} | train
    return Trainer(build(ModelSpec(**BODY | model), seed=0, device="cuda"), TrainSpec(**settings), seed=0)


def batch(one: Trainer, step: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    spec = one.model.spec
    assert spec.vocab_size is not None
    generator = torch.Generator().manual_seed(step)
    shape = (one.spec.batch_size, spec.context_length + 1)
    tokens_BT = torch.randint(0, spec.vocab_size, shape, generator=generator)
    return tokens_BT[:, :-1], tokens_BT[:, 1:]


SIZES = {
    "body": {"num_layers": 12, "d_model": 512, "num_heads": 8},
    "vocabulary": {"num_layers": 1, "vocab_size": 151_665},
    "dropout": {"num_layers": 8, "dropout": 0.1, "attention_dropout": 0.1},
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_memory_is_as_planned(size: str, precision: str) -> None:
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    one = trainer(SIZES[size], precision=precision, compile="off")
    for step in range(2):
        one.step(step, *batch(one, step))
    measured = torch.cuda.max_memory_allocated() - before
    spec = one.model.spec
    planned = estimate_card_memory(
        spec,
        micro_batch=8,
        context=spec.context_length,
        loss_chunk_rows=one.spec.loss_chunk_rows,
        optimizer_tensors=2,
        product_bytes=4 if precision == "fp32" else 2,
        dropout=bool(spec.dropout),
    )
    assert measured == pytest.approx(planned.total, rel=0.2), planned


def test_nothing_is_compiled_again_from_step_to_step() -> None:
    one = trainer({"dropout": 0.1, "attention_dropout": 0.1}, compile="blocks")
    one.step(0, *batch(one))
    with torch._dynamo.config.patch(error_on_recompile=True):
        for step in range(1, 6):
            one.step(step, *batch(one, step))


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("auto", 2e-2)])
def test_compiled_blocks_compute_what_blocks_compute(precision: str, tolerance: float) -> None:
    """Without dropout, whose masks differ."""
    losses = []
    for compile in ("off", "blocks"):
        one = trainer({}, precision=precision, compile=compile)
        losses.append([one.step(step, *batch(one, step))[0] for step in range(5)])
    assert losses[1] == pytest.approx(losses[0], rel=tolerance)


def test_fp16_trains_with_its_scaler() -> None:
    one = trainer({}, precision="fp16")
    losses = [one.step(step, *batch(one))[0] for step in range(30)]
    assert losses[-1] < losses[0] - 0.5 and one.scaler.get_scale() > 1


def test_products_are_in_the_cards_format() -> None:
    one = trainer({}, precision="auto", compile="off")
    formats: set[torch.dtype] = set()
    for part in one.model.modules():
        if type(part).__name__ == "Linear":
            part.register_forward_hook(lambda part, inputs, output: formats.add(output.dtype))
    one.step(0, *batch(one))
    assert formats == {one.choice.product_dtype} and one.choice.product_dtype is not None
    assert {each.dtype for each in one.model.parameters()} == {torch.float32}

"""The memory estimate against the peak of processes that really train."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stacklab.base.env import training_environment
from stacklab.model.count import Memory, all_scores, estimate_memory
from stacklab.model.spec import ModelSpec

TINY = {"vocab_size": 64, "d_model": 8, "num_layers": 1, "num_heads": 1, "dropout": 0.0, "attention_dropout": 0.1}
BODY = TINY | {"vocab_size": 512, "d_model": 128, "num_layers": 4, "num_heads": 4, "dropout": 0.1}
LLAMA = {
    "norm": {"kind": "rms"},
    "position": "rotary",
    "feed_forward": "gated",
    "activation": "silu",
    "num_kv_heads": 1,
}
CASES = {
    "few heads": TINY | {"context_length": 512},
    "many heads": TINY | {"num_heads": 8, "context_length": 512},
    "long": TINY | {"context_length": 12_288},
    "window": TINY | {"context_length": 2048, "window": 16},
    "window without dropout": TINY | {"context_length": 2048, "window": 16, "num_layers": 2, "attention_dropout": 0.0},
    "body": BODY | {"context_length": 2048},
    "Llama": BODY | LLAMA | {"context_length": 2048, "attention_dropout": 0.0},
    "Llama, as many heads of keys": BODY | LLAMA | {"num_kv_heads": None, "context_length": 2048},
    "more norms": BODY
    | {"norm": {"kind": "rms", "placement": "peri"}, "qk_norm": "head", "residual": "rezero", "context_length": 2048},
    "body without dropout": BODY | {"context_length": 2048, "dropout": 0.0, "attention_dropout": 0.0},
}
SCRIPT = """
import json, os, resource, sys
import numpy, torch
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.train.evaluate import mean_loss
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Sequences, Trainer

torch.set_num_threads(1)

def work(model):
    spec = ModelSpec.model_validate(model)
    trainer = Trainer(build(spec, seed=1, device="cpu"), TrainSpec(batch_size=1), 1)
    tokens = torch.zeros(1, spec.context_length + 1, dtype=torch.long)
    for step in range(2):
        trainer.step(step, tokens[:, :-1], tokens[:, 1:])
    mean_loss(trainer.model, Sequences.of_blocks(tokens.numpy()), chunk_rows=512)

def peak(model):
    # A child's peak starts at what it was born with.
    read, write = os.pipe()
    if not os.fork():
        work(model)
        os.write(write, str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        return int(answer.read())

cases = json.load(sys.stdin)
smallest = cases["few heads"]
work(smallest)
print(json.dumps({name: peak(model) for name, model in cases.items()}))
"""


def estimate(name: str) -> Memory:
    spec = ModelSpec.model_validate(CASES[name])
    return estimate_memory(spec, micro_batch=1, context=spec.context_length, loss_chunk_rows=512, optimizer_tensors=2)


def estimated(name: str) -> int:
    return estimate(name).total


def held_scores(name: str) -> int:
    return estimate(name).scores


@pytest.mark.trains
@pytest.mark.skipif(sys.platform != "linux", reason="peaks of forked processes are measured separately on Linux")
def test_the_estimate_grows_as_the_measured_peak_does(tmp_path: Path) -> None:
    """Peaks are compared with that of the smallest case, which takes away what every process holds.

    What the heap leaves in holes moves a peak by up to 3 MiB from one process to the next, by up to 6 MiB with torch's
    builds for CUDA, and by 15 % in long sequences; a part that the formula forgot would be missed by more.
    """
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        check=True,
        env=training_environment() | {"OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
    )
    peaks = json.loads(done.stdout)
    grown = {name: (peaks[name] - peaks["few heads"]) / 2**20 for name in CASES}
    planned = {name: (estimated(name) - estimated("few heads")) / 2**20 for name in CASES}
    assert planned == pytest.approx(grown, rel=0.35, abs=7)


def test_the_planted_cases_are_ruled_by_their_scores() -> None:
    """Else the comparison above would say nothing about them."""
    for name in ("many heads", "long", "window", "window without dropout"):
        assert held_scores(name) > 0.6 * estimated(name)


def test_scores_count_heads_times_the_square_of_the_length() -> None:
    def spec(heads: int) -> ModelSpec:
        return ModelSpec(vocab_size=8, d_model=16, num_layers=2, num_heads=heads, context_length=64)

    assert all_scores(spec(2), micro_batch=3, context=64) == 3 * 2 * 64 * 64 * 4
    assert all_scores(spec(8), micro_batch=3, context=32) == 3 * 8 * 32 * 32 * 4
    assert all_scores(ModelSpec(vocab_size=8, num_layers=0), micro_batch=3, context=32) == 0

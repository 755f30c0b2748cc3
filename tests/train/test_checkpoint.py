from pathlib import Path
from typing import Any

import pytest
import torch
from tests.train.trainers import FROZEN, MODEL, PAIR, PLAIN, weights

from stacklab.base.errors import CheckpointError
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.train import checkpoint, tensor_file
from stacklab.train.checkpoint import load_checkpoint, read_weights, save_checkpoint, save_weights
from stacklab.train.distributed import ALONE, World
from stacklab.train.spec import Precision, TrainSpec
from stacklab.train.step import Trainer
from stacklab.train.tensor_file import content_sum, save_tensors


def trainer(precision: Precision = "auto", world: World = ALONE, **model: Any) -> Trainer:
    spec = TrainSpec(**PLAIN | {"precision": precision})
    return Trainer(build(ModelSpec(**MODEL | {"dropout": 0.1} | model), seed=0), spec, 0, world)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    one = trainer()
    for step in range(2):
        one.step(step, *PAIR)
    save_checkpoint(tmp_path / "c.safetensors", one, run_id="r", step=2)
    return tmp_path / "c.safetensors"


def test_training_goes_on_bit_for_bit(saved: Path) -> None:
    straight, resumed = trainer(), trainer()
    expected = [straight.step(step, *PAIR) for step in range(5)]
    assert load_checkpoint(saved, resumed, run_id="r") == 2
    assert [resumed.step(step, *PAIR) for step in range(2, 5)] == expected[2:]
    assert torch.equal(weights(resumed), weights(straight))


def test_a_frozen_table_is_saved_and_read_back(tmp_path: Path) -> None:
    """Training goes on bit for bit, also where the table was drawn otherwise before the checkpoint was read."""
    model = FROZEN | {"attention_identity": 0.2, "d_ff": 0}
    straight, resumed = trainer(**model), trainer(**model)
    losses = [straight.step(step, *PAIR)[0] for step in range(2)]
    save_checkpoint(tmp_path / "c.safetensors", straight, run_id="r", step=2)
    losses += [straight.step(step, *PAIR)[0] for step in range(2, 4)]
    with torch.no_grad():
        resumed.model.token_embedding.weight.zero_()
    load_checkpoint(tmp_path / "c.safetensors", resumed, run_id="r")
    assert [resumed.step(step, *PAIR)[0] for step in range(2, 4)] == losses[2:]
    assert torch.equal(weights(resumed), weights(straight))
    assert not resumed.model.token_embedding.weight.requires_grad


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_stacks_with_more_norms_and_trained_factors_go_on_bit_for_bit(tmp_path: Path, precision: str) -> None:
    model = {"norm": {"placement": "peri"}, "qk_norm": "head", "residual": "rezero", "dropout": 0.1, "layer_drop": 0.3}
    straight, resumed = (trainer(**model, precision=precision) for _ in range(2))
    losses = [straight.step(step, *PAIR)[0] for step in range(2)]
    save_checkpoint(tmp_path / "c.safetensors", straight, run_id="r", step=2)
    losses += [straight.step(step, *PAIR)[0] for step in range(2, 4)]
    load_checkpoint(tmp_path / "c.safetensors", resumed, run_id="r")
    assert [resumed.step(step, *PAIR)[0] for step in range(2, 4)] == losses[2:]
    assert torch.equal(weights(resumed), weights(straight))
    factors = [value for name, value in resumed.model.named_parameters() if name.endswith("_factor")]
    assert len(factors) == 4 and all(value != 0 for value in factors)


def test_a_stack_goes_on_where_a_layer_was_dropped_in_every_step_so_far(tmp_path: Path) -> None:
    straight, resumed = trainer(layer_drop=0.9), trainer(layer_drop=0.9)
    losses = [straight.step(step, *PAIR)[0] for step in range(2)]
    states = [bool(straight.optimizer.state[one]) for one in straight.model.parameters()]
    assert any(states) and not all(states), "some layer has had no gradient"
    save_checkpoint(tmp_path / "c.safetensors", straight, run_id="r", step=2)
    losses += [straight.step(step, *PAIR)[0] for step in range(2, 20)]
    load_checkpoint(tmp_path / "c.safetensors", resumed, run_id="r")
    assert [resumed.step(step, *PAIR)[0] for step in range(2, 20)] == losses[2:]
    assert torch.equal(weights(resumed), weights(straight))


def test_a_truncated_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="not a complete checkpoint"):
        load_checkpoint(saved, trainer(), run_id="r")


def test_a_flipped_bit_anywhere_is_refused(saved: Path) -> None:
    """In the length of the header, in every byte of the header, and in weights, moments and steps."""
    whole, fresh = saved.read_bytes(), trainer()
    header = 8 + int.from_bytes(whole[:8], "little")
    load_checkpoint(saved, fresh, run_id="r")
    for place in [*range(header), *range(header, len(whole), 97), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        saved.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="; delete it, and the run is trained anew"):
            load_checkpoint(saved, fresh, run_id="r")


def test_flipped_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(path, trainer().model, run_id="r")
    read_weights(path)
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="delete the folder of its run, and `stacklab run` trains it anew"):
        read_weights(path)


def test_threads_change_no_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, facts = dict(trainer().model.named_parameters()), {"run_id": "r"}
    tensors = {name: value.detach() for name, value in tensors.items()}
    alone = content_sum(tensors, facts)
    monkeypatch.setattr(tensor_file, "LARGE", 0)
    assert content_sum(tensors, facts) == alone
    assert content_sum(tensors, {"run_id": "q"}) != alone


def test_equal_weights_are_equal_files(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for file in files:
        save_weights(file, trainer().model, run_id="r")
    assert len({file.read_bytes() for file in files}) == 1


def test_a_checkpoint_of_another_run_is_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="belongs to run r, expected other"):
        load_checkpoint(saved, trainer(), run_id="other")


def test_a_checkpoint_of_another_number_format_or_number_of_ranks_is_refused(saved: Path) -> None:
    bf16 = trainer(precision="bf16")
    before = weights(bf16)
    with pytest.raises(CheckpointError, match=r"began in fp32, but trains in bf16 here; resume"):
        load_checkpoint(saved, bf16, run_id="r")
    two = trainer(world=World(0, 2))
    with pytest.raises(CheckpointError, match="began with --gpus-per-run 1, not 2; use 1 again, or delete the file"):
        load_checkpoint(saved, two, run_id="r")
    assert torch.equal(weights(bf16), before) and torch.equal(weights(two), before)


def test_a_checkpoint_of_an_earlier_version_is_read(saved: Path) -> None:
    """It has no checksum, and an entry for each fact."""
    tensors, metadata = checkpoint._load(saved, "")
    save_tensors(saved, tensors, metadata)
    assert load_checkpoint(saved, trainer(), run_id="r") == 2


def test_a_checkpoint_from_before_these_were_stated_is_read(saved: Path) -> None:
    tensors, metadata = checkpoint._load(saved, "")
    save_tensors(saved, tensors, {name: metadata[name] for name in ("run_id", "step")})
    assert load_checkpoint(saved, trainer(precision="bf16", world=World(0, 2)), run_id="r") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_layers": 1}, r"unknown tensor blocks\.1"),
        ({"num_layers": 3}, r"lacks the tensor blocks\.2"),
        ({"d_ff": 32}, r"feed_forward\.expand\.weight has shape \(64, 16\), the model needs \(32, 16\)"),
    ],
)
def test_tensors_that_do_not_fit_are_named(saved: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(saved, trainer(**change), run_id="r")


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    torch.save({"run_id": "r"}, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path, trainer(), run_id="r")

"""Weights from which training starts, kept by content."""

from pathlib import Path

import pytest
import torch
from tests.run.tasks import make_runs, task_spec

from stacklab.base.errors import CheckpointError, SpecError
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.run.execute import Execution, execute
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.train.checkpoint import read_weights
from stacklab.train.start import keep_weights, load_start, weights_name
from stacklab.train.tensor_file import save_tensors

SPEC = task_spec().model


def tensors(seed: int = 5, spec: ModelSpec = SPEC) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in build(spec, seed=seed).named_parameters()}


def test_weights_have_one_name_and_others_another() -> None:
    name = weights_name(tensors())
    assert name == weights_name(dict(reversed(tensors().items()))) and name.startswith("weights-")
    changed = tensors()
    first = next(iter(changed))
    changed[first] = changed[first].clone()
    changed[first].view(-1)[0] += 1e-6
    assert weights_name(changed) != name
    assert weights_name({"x": torch.zeros(2, 3)}) != weights_name({"x": torch.zeros(3, 2)})


def test_kept_weights_are_checked_when_they_are_read(tmp_path: Path) -> None:
    name = keep_weights(tensors(), tmp_path)
    model = build(SPEC, seed=1)
    load_start(model, name, tmp_path)
    assert weights_name(dict(model.named_parameters())) == name
    save_tensors(tmp_path / f"{name}.safetensors", tensors(seed=6))
    with pytest.raises(CheckpointError, match=r"weights-.*safetensors: not as it was written; delete it and plan"):
        load_start(model, name, tmp_path)
    with pytest.raises(CheckpointError, match=r"weights-0+\.safetensors: no such file; plan the study again"):
        load_start(model, "weights-" + "0" * 16, tmp_path)
    with pytest.raises(SpecError, match=r"model.start_from = '../x': its weights are kept when a study is planned"):
        load_start(model, "../x", tmp_path)


def started(tmp_path: Path, **train: int) -> RunPaths:
    """A run that starts from kept weights."""
    name = keep_weights(tensors(), OutPaths(tmp_path).start)
    (paths,) = make_runs(tmp_path, [task_spec(model={"start_from": name}, **train)])
    return paths


@pytest.mark.trains
def test_a_run_starts_from_the_weights_and_resumes_without_them(tmp_path: Path) -> None:
    paths = started(tmp_path)
    (other,) = make_runs(tmp_path, [task_spec()])
    assert paths.run_id != other.run_id
    spec = task_spec(model={"start_from": weights_name(tensors())})
    first = {
        name: value.detach().clone() for name, value in Execution(spec, paths, lambda: True).model.named_parameters()
    }
    assert all(value.equal(tensors()[name]) for name, value in first.items())
    steps = iter([False] * 8)
    assert execute(paths.folder, threads=1, stop=lambda: next(steps, True)) == "stopped"
    assert paths.checkpoint.exists()
    for kept in OutPaths(tmp_path).start.iterdir():
        kept.unlink()
    assert execute(paths.folder, threads=1) == "finished"
    whole = started(tmp_path / "whole")
    assert execute(whole.folder, threads=1) == "finished"
    ends = [read_weights(run.weights) for run in (paths, whole)]
    assert all(value.equal(ends[1][name]) for name, value in ends[0].items())

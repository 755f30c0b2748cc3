"""The weights of the best evaluation, which a run keeps beside its last ones."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.run.conftest import Bench
from tests.run.tasks import make_runs, task_spec

from stacklab.base.errors import DataError
from stacklab.base.files import read_json, read_jsonl
from stacklab.exchange.export import export_model, portable_run
from stacklab.exchange.open_model import open_model
from stacklab.model.transformer import Transformer
from stacklab.run.execute import execute
from stacklab.run.feeds.feed import open_feed
from stacklab.run.heads import trained_model
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.recorder import BestWeights
from stacklab.run.spec import RunSpec
from stacklab.run.stacking import why_alone
from stacklab.run.store import best_text, read_spec, weights_of
from stacklab.train.checkpoint import load_weights, read_weights

WORSENS: dict[str, Any] = {
    "steps": 18,
    "checkpoint_every": 7,
    "optimizer": {"learning_rate": 0.3, "clip_norm": None},
    "schedule": {"kind": "constant", "warmup_steps": 8},
    "diverged_above": 1e9,
    "keep_best": True,
}
"""Training that first lowers the loss and then raises it."""


def worsening(bench: Bench, **change: Any) -> RunSpec:
    spec = bench.spec(**WORSENS | change)
    return spec.model_copy(update={"evaluate": spec.evaluate.model_copy(update={"every": 2})})


def loss_of(paths: RunPaths, weights: Path) -> float:
    spec = read_spec(paths)
    model = Transformer(spec.model)
    load_weights(model, read_weights(weights), weights)
    return open_feed(spec, cache=OutPaths(paths.folder.parent.parent).cache).measure(model)["validation.loss"]


def test_the_best_weights_are_those_of_the_best_evaluation(bench: Bench) -> None:
    paths = bench.folder(worsening(bench))
    execute(paths.folder, threads=1)
    metrics = read_json(paths.result)["metrics"]
    step = metrics["validation.best_step"]
    assert 0 < step < 18 and metrics["validation.best_loss"] < metrics["validation.loss"]
    assert list(paths.bests) == [step]
    assert weights_of(paths, "best") == paths.best(step)
    assert loss_of(paths, paths.best(step)) == metrics["validation.best_loss"]
    assert loss_of(paths, weights_of(paths, "last")) == metrics["validation.loss"]
    assert best_text(paths) == f"step {step} of 18, validation.loss {metrics['validation.best_loss']:.4f}"


def test_keeping_them_changes_no_number(bench: Bench) -> None:
    with_best, without = (bench.folder(worsening(bench, keep_best=keep)) for keep in (True, False))
    for paths in (with_best, without):
        execute(paths.folder, threads=1)
    assert with_best.metrics.read_bytes() == without.metrics.read_bytes()
    assert with_best.evals.read_bytes() == without.evals.read_bytes()
    assert without.bests == {}
    assert read_json(with_best.result)["metrics"] == read_json(without.result)["metrics"]


def test_a_stop_at_any_step_and_a_resume_keep_the_same_weights(bench: Bench) -> None:
    paths = bench.folder(worsening(bench))
    execute(paths.folder, threads=1)
    straight = {step: path.read_bytes() for step, path in paths.bests.items()}
    for stop_after in range(1, 18):
        shutil.rmtree(paths.folder)
        bench.folder(worsening(bench))
        calls = iter(range(1, 100))
        execute(paths.folder, threads=1, stop=lambda calls=calls, n=stop_after: next(calls) >= n)
        losses = {row["step"]: row["validation.loss"] for row in read_jsonl(paths.evals)}
        assert list(paths.bests) == [min(losses, key=lambda step: losses[step])]
        assert best_text(paths).startswith(f"step {max(paths.bests)} of 18")
        execute(paths.folder, threads=1)
        assert {step: path.read_bytes() for step, path in paths.bests.items()} == straight


def test_a_run_that_is_killed_resumes_with_the_best_before_its_checkpoint(tmp_path: Path) -> None:
    """The best evaluation came after the checkpoint: a resume may not reach it again, digit for digit."""
    paths = RunPaths(tmp_path)
    best = BestWeights(paths, start=0)
    losses: list[float] = []

    def evaluated(step: int, loss: float) -> None:
        losses.append(loss)
        best.evaluated(losses, step=step, save=lambda path: path.write_text(f"{loss}"))

    evaluated(0, 5.0)
    evaluated(2, 4.0)
    assert list(paths.bests) == [2], "without a checkpoint a resume begins at 0"
    evaluated(4, 4.0)
    best.saved(5)
    evaluated(6, 3.0)
    evaluated(8, 2.0)
    assert list(paths.bests) == [2, 8], "6 is in the way of no resume"
    BestWeights(paths, start=5)
    assert {step: path.read_text() for step, path in paths.bests.items()} == {2: "4.0"}
    (tmp_path / "best-of-all.safetensors").touch()
    assert list(paths.bests) == [2], "not one of ours"


def test_a_later_evaluation_that_is_equal_is_not_better(tmp_path: Path) -> None:
    best = BestWeights(RunPaths(tmp_path), start=0)
    best.evaluated([2.0, 2.0], step=2, save=lambda path: path.touch())
    assert RunPaths(tmp_path).bests == {}


def test_text_and_folders_come_from_the_best_weights(bench: Bench, tmp_path: Path) -> None:
    paths, out = bench.folder(worsening(bench)), bench.out.root
    execute(paths.folder, threads=1)
    best, last = (open_model(paths.run_id, out, checkpoint=one).model for one in ("best", "last"))
    own = read_weights(weights_of(paths, "best"))
    assert all(torch.equal(value, own[name]) for name, value in best.named_parameters())
    assert not all(torch.equal(value, own[name]) for name, value in last.named_parameters())
    model = portable_run(paths, "best")
    assert all(torch.equal(value, own[name]) for name, value in model.tensors.items())
    done = export_model(paths.run_id, tmp_path / "hf", out=out, format="stacklab", checkpoint="best")
    card = (done.folder / "README.md").read_text()
    assert f"The weights are its best ones: {best_text(paths)}." in card
    assert "## Results" not in card, "they are those of the last weights"
    with pytest.raises(DataError, match="was not trained here and has one set of weights; leave --checkpoint out"):
        open_model(str(done.folder), out, checkpoint="best")


def test_a_run_over_a_task_has_them_too(tmp_path: Path) -> None:
    (paths,) = make_runs(tmp_path, [task_spec(steps=10, keep_best=True)])
    execute(paths.folder, threads=1)
    step = read_json(paths.result)["metrics"]["validation.best_step"]
    own, model = read_weights(paths.best(step)), trained_model(paths, "best")
    assert all(torch.equal(value, own[name]) for name, value in model.named_parameters())


def test_a_run_without_them_says_how_to_get_them(bench: Bench) -> None:
    paths = bench.folder(bench.spec())
    execute(paths.folder, threads=1)
    with pytest.raises(DataError, match=r"has kept no best weights; runs trained with train\.keep_best=true keep them"):
        open_model(paths.run_id, bench.out.root, checkpoint="best")


def test_a_run_that_keeps_them_is_trained_alone() -> None:
    reason = why_alone(task_spec(keep_best=True), on_card=True)
    assert reason == "train.keep_best = True is not supported in a stack"

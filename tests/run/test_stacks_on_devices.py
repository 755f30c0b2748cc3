"""Stacks over text, in low precision and with dropout; what a card needs, as far as a CPU shows it; and on a card."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.run.conftest import Bench
from tests.run.stacks import SEEDS, contents, together, trained
from tests.run.tasks import make_runs, task_spec

from stacklab.base.files import read_json, read_jsonl
from stacklab.run.execute import execute
from stacklab.run.replica_group import ReplicaGroup
from stacklab.run.spec import RunSpec
from stacklab.run.stacking import CARD_SHARE, most_members
from stacklab.run.store import create_run
from stacklab.train.replicas import Replicas


def text_specs(bench: Bench, seeds: tuple[int, ...], **change: Any) -> list[RunSpec]:
    model = {"dropout": 0.0, "attention_dropout": 0.0} | change.pop("model", {})
    return [bench.spec(seed=seed, model=model, **{"steps": 12, "batch_size": 4} | change) for seed in seeds]


@pytest.mark.parametrize("chunked", [False, True], ids=["all logits", "in chunks"])
@pytest.mark.parametrize(("precision", "near"), [("fp32", 1e-5), ("bf16", 1e-2)])
def test_each_curve_over_text_is_that_of_the_run_alone(
    bench: Bench, tmp_path: Path, precision: str, near: float, chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses and norms within `near` of those of the ordinary run, relatively; everything else as there."""
    if chunked:
        monkeypatch.setattr("stacklab.model.ops.piece_size.ALL_LOGITS", 0)
    specs, other = text_specs(bench, (1, 2), precision=precision), Bench(tmp_path / "alone")
    stacked, alone = [bench.folder(spec) for spec in specs], [other.folder(spec) for spec in specs]
    assert set(together(stacked).values()) == {"finished"}
    for own, single in zip(stacked, alone, strict=True):
        assert execute(single.folder, threads=1) == "finished"
        for row, expected in zip(read_jsonl(own.metrics), read_jsonl(single.metrics), strict=True):
            assert row == expected | {name: pytest.approx(expected[name], rel=near) for name in ("loss", "norm")}
        for row, expected in zip(read_jsonl(own.evals), read_jsonl(single.evals), strict=True):
            assert row == pytest.approx(expected, rel=near)
        assert read_json(own.result)["metrics"].keys() == read_json(single.result)["metrics"].keys()
        assert read_json(own.provenance) == read_json(single.provenance)
        assert read_json(own.provenance)["precision"] == precision


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_company_changes_no_byte_of_a_run_over_text(bench: Bench, precision: str) -> None:
    """With dropout, whose masks are those of each run. It is recorded that they are not those of the run alone."""
    dropout = {"dropout": 0.1, "attention_dropout": 0.1}
    runs = [bench.folder(spec) for spec in text_specs(bench, (1, 2, 3), model=dropout, precision=precision)]
    together(runs)
    assert {read_json(paths.provenance)["dropout_masks"] for paths in runs} == {"generator of each run"}
    whole = contents(runs)
    for paths, spec in zip(runs, text_specs(bench, (1, 2, 3), model=dropout, precision=precision), strict=True):
        shutil.rmtree(paths.folder)
        create_run(spec, paths)
    steps = iter(range(1, 100))
    assert together(runs[1:], stop=lambda: next(steps) >= 5)[runs[1].run_id] == "stopped"
    together(runs[1:2])
    together([runs[2], runs[0]])
    assert contents(runs) == whole


def test_numbers_that_are_read_a_step_later_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card; stops and resumes included. A run that diverges has taken a step more when that is noticed."""
    specs = [*SEEDS, task_spec(seed=9, stop={"metric": "validation.accuracy", "at_least": 0.0, "evaluations": 2})]
    whole = trained(tmp_path / "at once", specs)
    began = Replicas.__init__

    def late(self: Replicas, trainers: Any) -> None:
        began(self, trainers)
        self.reads_late = True

    monkeypatch.setattr(Replicas, "__init__", late)
    assert trained(tmp_path / "late", specs) == whole
    bad = task_spec(seed=9, optimizer={"learning_rate": 1e15, "clip_norm": None}, schedule={"warmup_steps": 0})
    runs = make_runs(tmp_path / "stopped", [*specs, bad])
    steps = iter(range(1, 100))
    together(runs, stop=lambda: next(steps) >= 8)
    statuses = together(runs)
    assert contents(runs[:4]) == whole
    assert statuses[runs[4].run_id] == "diverged" and "at step" in read_json(runs[4].result)["reason"]


def test_stacks_that_a_card_does_not_take_together_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, sizes = trained(tmp_path / "three", SEEDS), []
    monkeypatch.setattr("stacklab.run.execute_replicas.most_members", lambda spec, **card: 2)
    card = SimpleNamespace(total_memory=1)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: card)
    monkeypatch.setattr("stacklab.run.execute_replicas.is_card", lambda device: True)
    began = ReplicaGroup.__init__

    def noted(self: ReplicaGroup, members: Any, *rest: Any) -> None:
        sizes.append(len(members))
        began(self, members, *rest)

    monkeypatch.setattr(ReplicaGroup, "__init__", noted)
    assert trained(tmp_path / "two and one", SEEDS) == whole
    assert sizes == [2, 1]
    runs = make_runs(tmp_path / "stopped", SEEDS)
    steps = iter(range(1, 100))
    assert set(together(runs, stop=lambda: next(steps) >= 3).values()) == {"stopped"}
    assert [len(read_jsonl(paths.metrics)) for paths in runs[:2]] == [3, 3]
    assert not runs[2].metrics.exists(), "the second stack did not begin"


def test_in_fp16_runs_are_trained_one_by_one(tmp_path: Path) -> None:
    """Where a card has no bf16; a loss scale belongs to one run."""
    specs = [task_spec(seed=seed, precision="fp16", steps=6) for seed in (1, 2)]
    runs, alone = make_runs(tmp_path / "together", specs), make_runs(tmp_path / "alone", specs)
    runs[1].checkpoint.write_bytes(b"torn")
    statuses = together(runs)
    assert [statuses[paths.run_id] for paths in runs] == ["finished", "failed"]
    execute(alone[0].folder, threads=1)
    assert contents(runs[:1]) == contents(alone[:1])


@pytest.mark.gpu
def test_a_stack_on_a_card_is_the_runs_alone_on_it(tmp_path: Path) -> None:
    """The same batches and weights at the start; losses within the rounding of fp32, over 20 steps."""
    specs = [task_spec(seed=seed, precision="fp32", compile="off", device="cuda") for seed in (1, 2, 3)]
    alone, stacked = make_runs(tmp_path / "alone", specs), make_runs(tmp_path / "stacked", specs)
    for paths in alone:
        assert execute(paths.folder, threads=1) == "finished"
    assert set(together(stacked).values()) == {"finished"}
    for one, other in zip(alone, stacked, strict=True):
        for row, expected in zip(read_jsonl(other.metrics), read_jsonl(one.metrics), strict=True):
            assert row["batch"] == expected["batch"] and row["loss"] == pytest.approx(expected["loss"], rel=1e-4)
        assert read_json(other.provenance)["device"] == "cuda"
    again = make_runs(tmp_path / "again", specs)
    together(again)
    assert contents(again) == contents(stacked)


@pytest.mark.gpu
def test_the_memory_of_a_stack_on_a_card_is_within_the_estimate(bench: Bench) -> None:
    """By parameters, by activations and by logits; the estimate decides how many runs share a stack."""
    for change in (
        {"model": {"d_model": 512, "num_layers": 4, "num_heads": 8}},
        {"model": {"d_model": 64, "num_layers": 4}, "batch_size": 128},
    ):
        specs = text_specs(bench, (1, 2, 3, 4), device="cuda", steps=3, **change)
        card_bytes = 80 * 10**9
        each = CARD_SHARE * card_bytes / most_members(specs[0], card_bytes=card_bytes, product_bytes=2)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        together([bench.folder(spec) for spec in specs])
        assert torch.cuda.max_memory_allocated() - before < 1.2 * len(specs) * each

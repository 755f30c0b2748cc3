"""Which runs share a process, and what becomes of them there."""

from pathlib import Path

import pytest
from tests.run.tasks import make_runs, task_spec
from tests.study.engines.fake_runs import make_run, steps
from tests.study.engines.helpers import TARGET, Notes

from stacklab.base.files import read_json
from stacklab.run.paths import RunPaths
from stacklab.study.engines.cards import Cards
from stacklab.study.engines.processes import make_jobs
from stacklab.study.engines.protocol import EXECUTE_TOGETHER, RunEnd
from stacklab.study.engines.registry import make_engine
from stacklab.study.engines.session import Job, carry_out


def test_groups_are_cut_so_that_every_worker_has_a_stack(tmp_path: Path) -> None:
    seeds = [paths.folder for paths in make_runs(tmp_path, [task_spec(seed=seed) for seed in range(5)])]
    wide = [paths.folder for paths in make_runs(tmp_path, [task_spec(seed=9, model={"d_model": 32})])]
    alone = [paths.folder for paths in make_runs(tmp_path, [task_spec(seed=9, model={"dropout": 0.1})])]
    jobs, reasons = make_jobs([*seeds, *alone, *wide], workers=2)
    assert jobs == [
        Job((seeds[0], seeds[2], seeds[4]), EXECUTE_TOGETHER),
        Job((seeds[1], seeds[3]), EXECUTE_TOGETHER),
        Job((alone[0],)),
        Job((wide[0],), EXECUTE_TOGETHER),
    ]
    assert reasons == {"model.dropout = 0.1 is not supported in a stack": 1}


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretends a machine with one card."""
    monkeypatch.setattr("stacklab.study.engines.machine.gpus", lambda: ["0"])


@pytest.mark.usefixtures("card")
def test_on_a_card_stacks_are_larger_and_more_runs_share_them(tmp_path: Path) -> None:
    specs = [task_spec(seed=seed, model={"dropout": 0.1}) for seed in range(12)]
    seeds = tuple(paths.folder for paths in make_runs(tmp_path, specs))
    cpu = tuple(paths.folder for paths in make_runs(tmp_path, [task_spec(seed=seed, device="cpu") for seed in (1, 2)]))
    wide = tuple(paths.folder for paths in make_runs(tmp_path, [task_spec(model={"d_model": 640})]))
    jobs, reasons = make_jobs([*seeds, *cpu, *wide], workers=1)
    assert jobs == [Job(seeds, EXECUTE_TOGETHER), Job(cpu, EXECUTE_TOGETHER), Job(wide, EXECUTE_TOGETHER)]
    assert not reasons


def test_without_a_card_a_stack_holds_eight_runs(tmp_path: Path) -> None:
    folders = [paths.folder for paths in make_runs(tmp_path, [task_spec(seed=seed) for seed in range(12)])]
    jobs, _ = make_jobs(folders, workers=1)
    assert [len(job.folders) for job in jobs] == [6, 6]


def carried_out(job: Job, watch: Notes) -> dict[Path, RunEnd]:
    cards = Cards([], runs_per_gpu=1, workers=1)
    return carry_out([job], workers=1, cards=cards, watch=watch, target=TARGET, preload=())


def test_a_killed_stack_is_retried_without_the_runs_that_had_ended(tmp_path: Path, watch: Notes) -> None:
    folders = (make_run(tmp_path / "a"), make_run(tmp_path / "b", kills=1), make_run(tmp_path / "c"))
    ends = carried_out(Job(folders, "fake_runs:execute_together"), watch)
    assert [ends[folder] for folder in folders] == [
        RunEnd(folders[0], "finished"),
        RunEnd(folders[1], "finished", attempts=2),
        RunEnd(folders[2], "finished", attempts=2),
    ]
    assert watch.begun == [("a", 1), ("b", 1), ("c", 1), ("b", 2), ("c", 2)]
    assert watch.gone == [f"{name}: killed by signal 9; attempt 1 of 3" for name in "bc"]
    assert [steps(folder) for folder in folders] == [[1, 2, 3]] * 3


def test_a_bug_fails_the_runs_that_have_not_ended(tmp_path: Path, watch: Notes) -> None:
    folders = (make_run(tmp_path / "a"), make_run(tmp_path / "b", error="bug"), make_run(tmp_path / "c"))
    ends = carried_out(Job(folders, "fake_runs:execute_together"), watch)
    assert [ends[folder].status for folder in folders] == ["finished", "failed", "failed"]
    assert "a bug of ours" in ends[folders[2]].reason
    assert "fake_runs.py" in read_json(RunPaths(folders[1]).error)["traceback"]


@pytest.mark.trains
def test_the_engine_trains_stacks_and_single_runs(tmp_path: Path, watch: Notes) -> None:
    specs = [task_spec(seed=seed) for seed in (1, 2, 3)] + [task_spec(seed=1, model={"dropout": 0.1})]
    runs = make_runs(tmp_path, specs)
    ends = make_engine("replicas", workers=2).run([paths.folder for paths in runs], watch=watch)
    assert ends == [RunEnd(paths.folder, "finished") for paths in runs]
    assert watch.notes == ["1 of 4 runs are trained one by one: model.dropout = 0.1 is not supported in a stack"]
    assert [read_json(paths.result)["step"] for paths in runs] == [20] * 4

"""Every arm gets the same grid, and the choice never sees what the claims rest on."""

from pathlib import Path

import pytest
from tests.study.conftest import TINY

from stacklab.api import load_study
from stacklab.base.errors import SpecError
from stacklab.base.files import read_json, read_jsonl, write_json
from stacklab.cli.request import parse_request
from stacklab.run.execute import execute
from stacklab.run.paths import OutPaths
from stacklab.study.execution.run import Todo, run_plan
from stacklab.study.planning.plan import Plan, load_plan, save_plan
from stacklab.study.planning.tuning import Setting, setting_of, tuning_plan
from stacklab.study.results.ledger.entry import read_ledger
from stacklab.study.results.tuning import Point, choose, read_tuning, with_tuned
from stacklab.study.spec.rates import TuningSpec

GRID = TuningSpec(learning_rates=(1e-3, 1e-2), seeds=(8, 9))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def planned(tmp_path: Path, out: Path, grid: TuningSpec = GRID, **fields: object) -> Plan:
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY.replace("validation_fraction: 0.2", "validation_fraction: 0.2\n    tuning_fraction: 0.2"))
    return load_study(str(file), out=out, tuning=grid, **fields).plan()  # type: ignore[arg-type]


def finish(plan: Plan, out: Path, losses: dict[tuple[str, float], float | None]) -> None:
    """Results of the grid: (arm, rate) -> loss, None for one that diverged; 3.0 for all others."""
    for trial in tuning_plan(plan).runs():
        loss = losses.get((trial.arm.origin, setting_of(trial.arm).learning_rate), 3.0)
        status = "diverged" if loss is None else "finished"
        metrics = {} if loss is None else {"tuning.loss": loss + 0.01 * trial.seed}
        path = OutPaths(out).run(trial.spec.run_id).result
        write_json(path, {"status": status, "step": 6, "batches": "b", "metrics": metrics})


def test_every_arm_gets_the_same_grid_and_budget(tmp_path: Path, out: Path) -> None:
    plan = planned(tmp_path, out, TuningSpec(learning_rates=(1e-3, 1e-2), weight_decays=(0.0, 0.5), seeds=(8, 9)))
    cells: dict[str, set[tuple[float, float, int, int]]] = {}
    for trial in tuning_plan(plan).runs():
        optimizer, steps = trial.spec.train.optimizer, trial.spec.train.steps
        cell = (optimizer.learning_rate, optimizer.weight_decay, trial.seed, steps)
        cells.setdefault(trial.arm.origin, set()).add(cell)
    assert set(cells) == {"deep", "shallow", "wide"}
    assert cells["deep"] == cells["shallow"] == cells["wide"]
    assert len(cells["deep"]) == 8
    for arm in plan.arms:
        (other,) = {trial.spec.model for trial in tuning_plan(plan).runs() if trial.arm.origin == arm.name}
        assert other == arm.config.model


def test_the_grid_of_a_task_that_stops_when_solved_trains_to_the_end(tmp_path: Path) -> None:
    """Its validation accuracy is not measured, and losses at unequal steps would not compare."""
    overrides = {"train.steps": 3, "model.d_model": 8, "data.probe": 8, "train.batch_size": 4, "evaluate.every": 1}
    grid = TuningSpec(learning_rates=(1e-3,), seeds=(8,))
    study = load_study("associative-recall", overrides=overrides, seeds=[1], out=tmp_path, tuning=grid)
    assert all(spec.train.stop is not None for *_, spec in study.plan().runs())
    result = study.run(engine="inline")
    assert [tuned.chosen for tuned in result.tuning] == [Setting(learning_rate=1e-3, weight_decay=0.0)] * 2
    assert {row.status for row in result.rows} == {"finished"}


def test_the_grid_never_sees_what_claims_rest_on(tmp_path: Path, out: Path) -> None:
    plan = planned(tmp_path, out)
    assert {spec.evaluate.split for _, _, spec in plan.runs()} == {"validation"}
    for trial in tuning_plan(plan).runs():
        assert trial.spec.evaluate.split == "tuning"
        assert trial.spec.evaluate.problems == 0, "problems come from the validation split"
        assert trial.seed not in plan.seeds
    with pytest.raises(SpecError, match=r"tuning.seeds: the claims use seed 2 too"):
        planned(tmp_path, out, TuningSpec(learning_rates=(1e-3,), seeds=(2, 9)))
    with pytest.raises(SpecError, match=r"data.tuning_fraction = 0 sets none aside"):
        load_study("depth", out=out, tuning=GRID, overrides=["data.source.records=300"]).plan()


def test_the_best_setting_is_the_lowest_mean_of_those_that_never_diverged() -> None:
    def point(rate: float, losses: tuple[float, ...], *, diverged: int = 0, missing: int = 0) -> Point:
        setting = Setting(learning_rate=rate, weight_decay=0.1)
        return Point(setting=setting, losses=losses, diverged=diverged, missing=missing)

    tuning = choose("a", [point(1e-3, (3.0, 3.2)), point(1e-2, (2.9, 3.1)), point(1e-1, (1.0,), diverged=1)])
    assert tuning.chosen == Setting(learning_rate=1e-2, weight_decay=0.1)
    tied = choose("a", [point(1e-2, (3.0,)), point(1e-3, (3.0,))])
    assert tied.chosen is not None
    assert tied.chosen.learning_rate == 1e-3
    lost = choose("a", [point(1e-2, (), diverged=2)])
    assert (lost.chosen, lost.reason) == (None, "it diverged at every setting of the grid")
    cut = choose("a", [point(1e-3, (3.0,)), point(1e-2, (), missing=2)])
    assert (cut.chosen, cut.reason) == (None, "2 runs of its grid have no result")


def test_claims_are_stated_again_at_each_arms_own_best(tmp_path: Path, out: Path) -> None:
    plan = planned(tmp_path, out)
    assert with_tuned(plan, out) == plan, "nothing is chosen before the grid is done"
    finish(plan, out, {("deep", 1e-2): 2.0, ("shallow", 1e-3): 2.5, ("wide", 1e-2): None, ("wide", 1e-3): None})
    tuned = with_tuned(plan, out)
    rates = {arm.name: arm.config.train.optimizer.learning_rate for arm in tuned.arms}
    assert rates == {"deep": 3e-4, "shallow": 3e-4, "wide": 3e-4, "deep@tuned": 1e-2, "shallow@tuned": 1e-3}
    assert [contrast.id for contrast in tuned.contrasts] == ["fit:shallow", "fit:wide", "fit:shallow@tuned"]
    moved = {row.path: (row.left, row.right) for row in tuned.contrasts[-1].differences}
    assert moved == {"model.num_layers": (1, 2), "train.optimizer.learning_rate": (1e-3, 1e-2)}
    assert tuned.not_asked == ("fit:wide@tuned: wide has no rate of its own, it diverged at every setting of the grid",)
    folder = tmp_path / "earlier"
    save_plan(tuned, folder)
    assert load_plan(folder) == plan, "earlier versions saved the tuned arms with the plan"


def test_new_seeds_pass_over_the_tuning_seeds(tmp_path: Path, out: Path) -> None:
    plan = planned(tmp_path, out, TuningSpec(learning_rates=(1e-3,), seeds=(3, 5)), looks=2)
    metrics = {"train_probe.loss": 1.0, "tuning.loss": 1.0}
    ended = {"status": "finished", "step": 6, "batches": "b", "metrics": metrics}
    run_plan(plan, out, {}, start=lambda todo: [write_json(folder / "result.json", ended) for folder in todo])
    study = load_study(str(tmp_path / "tiny.yaml"), out=out, tuning=plan.tuning, looks=2)
    assert study.plan(more=2).seeds == (1, 2, 4, 6)


@pytest.mark.trains
def test_a_tuned_study_runs_its_grid_first_and_enters_all_claims_before_it(tmp_path: Path, out: Path) -> None:
    plan = planned(tmp_path, out, TuningSpec(learning_rates=(3e-4, 1e-2), seeds=(8,)))
    stages: list[set[str]] = []

    def start(todo: Todo) -> None:
        entries = read_ledger(plan.folder(out))
        assert {entry.id for entry in entries} >= {"fit:shallow", "fit:shallow@tuned"}
        assert {entry.finished_runs for entry in entries} == {0}
        stages.append({label for label, _ in todo.values()})
        for folder in todo:
            execute(folder, threads=1)

    result = run_plan(plan, out, {}, start=start)
    assert len(stages) == 2
    assert "one layer, rate 0.01, decay 0.1" in stages[0]
    assert "one layer, tuned" in stages[1]
    assert all(claim.afterthought == "" for claim in result.claims)
    assert {claim.id for claim in result.claims} >= {"fit:shallow@tuned", "fit:wide@tuned"}
    assert load_plan(plan.folder(out)) == plan, "the saved plan does not grow"
    assert len(result.plan.arms) == 2 * len(plan.arms)
    for trial in tuning_plan(plan).runs():
        run = OutPaths(out).run(trial.spec.run_id)
        metrics = read_json(run.result)["metrics"]
        assert "tuning.loss" in metrics
        assert not any(name.startswith(("validation", "accuracy")) for name in metrics)
        assert all("validation.loss" not in row for row in read_jsonl(run.evals))
    chosen = {tuning.arm: tuning.chosen for tuning in read_tuning(plan, out)}
    assert all(setting is not None and setting.learning_rate == 1e-2 for setting in chosen.values())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("1e-3,x", None, None), "--learning-rates 1e-3,x: expected numbers"),
        (("1e-3,1e-3", None, None), "--learning-rates: 0.001 appears twice"),
        (("0", None, None), "--learning-rates: Input should be greater than 0"),
        (("1e-3", "-1", None), "--weight-decays: Input should be greater than or equal to 0"),
        (("1e-3", None, "7,7"), "--tuning-seeds: seed 7 appears twice"),
        ((None, "0.1", None), "need --learning-rates"),
    ],
)
def test_a_bad_grid_is_refused(fields: tuple[str | None, str | None, str | None], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_request(dict(zip(("learning_rates", "weight_decays", "tuning_seeds"), fields, strict=True)))

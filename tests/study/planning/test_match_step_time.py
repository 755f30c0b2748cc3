"""Arms matched by measured step time: measured once, then kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacklab.api import load_study
from stacklab.base.errors import DataError, MatchError, StacklabError
from stacklab.cli.plan import plan as plan_command
from stacklab.model.count import flops_per_token
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import OutPaths
from stacklab.study.planning import match_step_time
from stacklab.study.planning.plan import Plan, load_plan, make_plan, save_plan

BY_TIME = "match: {quantity: step_seconds, to: deep, knob: model.d_ff}\n    consequences: [model.d_ff]"
BY_SIZE = "match: {quantity: total_parameters, to: deep, tolerance: 0.2}\n    consequences: [model.d_model, model.d_ff]"


@pytest.fixture
def timed(tiny: Path) -> Path:
    text = tiny.read_text()
    assert BY_SIZE in text
    tiny.write_text(text.replace(BY_SIZE, BY_TIME))
    return tiny


class FakeMachine:
    """Stands for the measuring process: seconds by FLOPs."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, module: str, specs: str, out: Path, *, threads: int, mend: str) -> str:
        rows = json.loads(specs)
        self.calls.append({"threads": threads, "models": [row["model"] for row in rows]})
        flops = [flops_per_token(ModelSpec.model_validate(row["model"]), context=32) for row in rows]
        return json.dumps([[each * 1e-9] * 5 for each in flops])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    fake = FakeMachine()
    monkeypatch.setattr(match_step_time, "measured", fake)
    monkeypatch.setattr("stacklab.study.engines.machine.cores", lambda: 6)
    return fake


def planned(file: Path, *overrides: str, looks: int = 1, look: int = 1, **request: Any) -> Plan:
    study = load_study(str(file), overrides=overrides, out=file.parent / "out", **request)
    return make_plan(study.spec, study.request, looks=looks, look=look)


def test_a_second_plan_has_the_same_runs_and_measures_nothing(
    timed: Path, machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = planned(timed)
    monkeypatch.setattr(match_step_time, "measured", None)
    assert planned(timed) == first
    longer = planned(timed, "train.steps=50", "train.optimizer.learning_rate=0.1")
    assert longer.arm("wide").config.model == first.arm("wide").config.model
    save_plan(first, tmp_path / "saved")
    assert load_plan(tmp_path / "saved") == first


def test_the_solved_arm_describes_its_measurement(timed: Path, machine: FakeMachine) -> None:
    match = planned(timed).arm("wide").match
    assert match is not None
    assert match.times is not None
    assert (match.quantity, match.knob) == ("step_seconds", "model.d_ff")
    assert match.residual == pytest.approx(match.times.seconds / match.times.target_seconds - 1)
    assert abs(match.residual) < 0.05
    assert set(match.others) == {"total_parameters", "non_embedding_parameters", "flops_per_token"}
    assert "10 rounds in turn, 1 thread of " in match.times.text()


def test_step_times_are_measured_with_the_threads_of_a_run(timed: Path, machine: FakeMachine) -> None:
    planned(timed, workers=2)
    assert {call["threads"] for call in machine.calls} == {3}
    calls = len(machine.calls)
    planned(timed, workers=1)
    assert {call["threads"] for call in machine.calls[calls:]} == {6}


@pytest.mark.parametrize(("engine", "workers", "threads"), [("processes", 3, 2), ("replicas", 3, 2), ("inline", 1, 6)])
def test_python_and_the_command_line_plan_for_the_threads_of_the_engine(
    engine: str, workers: int, threads: int, timed: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacklab.study.engines.inline.cores", lambda: 6)
    monkeypatch.setattr("stacklab.api.run_study", lambda *_: None)
    load_study(str(timed), out=timed.parent / "out").run(engine=engine, workers=workers)
    assert {call["threads"] for call in machine.calls} == {threads}
    calls = len(machine.calls)
    plan_command(str(timed), engine=engine, workers=workers, calibrate=False, out=timed.parent / "out")
    assert len(machine.calls) == calls, "the command line finds the measurement of Python"


def test_a_later_look_finds_the_measurement_of_the_first(timed: Path, machine: FakeMachine) -> None:
    first = planned(timed, seeds=(1,))
    calls = len(machine.calls)
    assert planned(timed, seeds=(1, 2), look=2, looks=2).arm("wide") == first.arm("wide")
    assert len(machine.calls) == calls


def test_an_arm_that_the_scale_leaves_out_is_not_measured(timed: Path, machine: FakeMachine) -> None:
    planned(timed, scale="one-arm")
    assert machine.calls == []


def test_no_value_within_tolerance_is_an_error_that_keeps_nothing(timed: Path, machine: FakeMachine) -> None:
    timed.write_text(timed.read_text().replace("knob: model.d_ff}", "knob: model.d_ff, multiple_of: 500}"))
    with pytest.raises(MatchError, match=r"arms\.wide\.match: no model\.d_ff that was timed .* nearest: 500 \(\+"):
        planned(timed)
    assert not list(OutPaths(timed.parent / "out").matches.glob("*.json"))


def test_a_damaged_measurement_says_how_to_mend_it(timed: Path, machine: FakeMachine) -> None:
    planned(timed)
    (kept,) = OutPaths(timed.parent / "out").matches.glob("[!.]*.json")
    kept.write_text("{}")
    with pytest.raises(DataError, match="delete it to measure again"):
        planned(timed)


@pytest.mark.trains
def test_real_steps_are_timed_in_turn(timed: Path) -> None:
    """Only that it runs: on a machine with other work a time says little, hence the wide tolerance."""
    timed.write_text(timed.read_text().replace("knob: model.d_ff}", "knob: model.d_ff, tolerance: 0.9}"))
    match = planned(timed, workers=2).arm("wide").match
    assert match is not None
    assert match.times is not None
    assert match.times.rounds >= 10
    assert 1e-5 < match.times.target_seconds < 10


def test_a_failed_measurement_is_reported(timed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_step_time, "MEASUREMENT", "nothing")
    with pytest.raises(
        StacklabError,
        match=r"measuring a run failed: no measurement 'nothing'; .*; a match by step_seconds has to",
    ):
        planned(timed)

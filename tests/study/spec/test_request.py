"""The engine that a request makes."""

import pytest

from stacklab.api import load_study
from stacklab.base.errors import SpecError
from stacklab.study.engines import processes
from stacklab.study.spec.request import StudyRequest, requested_engine
from stacklab.train.spec import TrainSpec


@pytest.fixture(autouse=True)
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(processes, "gpus", lambda: ["0", "1"])


@pytest.mark.parametrize("engine", ["processes", "replicas"])
def test_the_engine_deals_as_many_runs_to_each_card_as_requested(engine: str) -> None:
    assert requested_engine(StudyRequest(engine=engine), TrainSpec()).slots(100) == 2
    assert requested_engine(StudyRequest(engine=engine, runs_per_gpu=3), TrainSpec()).slots(100) == 6
    assert requested_engine(StudyRequest(engine=engine, runs_per_gpu=3, workers=5), TrainSpec()).slots(100) == 5


def test_runs_on_the_cpu_are_not_limited_by_the_cards() -> None:
    on_cpu = TrainSpec(device="cpu")
    assert requested_engine(StudyRequest(workers=5), on_cpu).slots(100) == 5
    with pytest.raises(SpecError, match="the runs train on the CPU"):
        requested_engine(StudyRequest(runs_per_gpu=3), on_cpu)


def test_python_callers_name_the_runs_per_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[StudyRequest] = []
    monkeypatch.setattr("stacklab.api.Study.plan", lambda study, more: None)
    monkeypatch.setattr("stacklab.api.device_facts", lambda plan, out: None)
    monkeypatch.setattr("stacklab.api.run_study", lambda plan, request, facts: seen.append(request))
    study = load_study("depth", runs_per_gpu=2)
    study.run()
    study.run(runs_per_gpu=4)
    assert [request.runs_per_gpu for request in seen] == [2, 4]
    with pytest.raises(SpecError, match="--runs-per-gpu: Input should be greater than 0"):
        load_study("depth", runs_per_gpu=0)
    study.run(gpus_per_run=2)
    assert [request.gpus_per_run for request in seen] == [1, 1, 2]


def test_a_run_on_several_gpus_shares_their_slots() -> None:
    assert requested_engine(StudyRequest(gpus_per_run=2), TrainSpec()).slots(100) == 1
    with pytest.raises(SpecError, match="3 GPUs for each run, but this machine has 2; use at most 2"):
        requested_engine(StudyRequest(gpus_per_run=3), TrainSpec())

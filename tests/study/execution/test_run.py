from pathlib import Path

import pytest

from stacklab.base.errors import BusyError
from stacklab.base.locks import exclusive
from stacklab.run.execute import execute
from stacklab.study.execution.run import Todo, run_plan
from stacklab.study.planning.plan import make_plan
from stacklab.study.results.results import open_results
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest


@pytest.mark.trains
def test_a_study_runs_what_is_missing_and_reads_back(tiny: Path) -> None:
    out = tiny.parent / "out"
    plan = make_plan(read_study(str(tiny), scale="smoke"), StudyRequest(scale="smoke", out=out))
    asked: list[list[str]] = []

    def start(todo: Todo) -> None:
        asked.append([folder.name for folder in todo])
        for folder in list(todo)[:4]:
            execute(folder, threads=1)

    first = run_plan(plan, out, {}, start=start)
    assert [row.status for row in first.rows].count("missing") == 2
    assert first.verdicts["fit:shallow"] == "invalid"
    second = run_plan(plan, out, {}, start=start)
    assert asked[1] == asked[0][4:]
    assert [row.status for row in second.rows] == ["finished"] * 6
    assert "invalid" not in second.verdicts.values()
    assert list(second.table["train_probe.loss"].notna()) == [True] * 6
    assert open_results(second.folder).rows == second.rows
    third = run_plan(plan, out, {}, start=start)
    assert len(asked) == 2
    assert third.verdicts == second.verdicts


def test_two_commands_on_one_study_do_not_mix(tiny: Path) -> None:
    out = tiny.parent / "out"
    plan = make_plan(read_study(str(tiny), scale="smoke"), StudyRequest(scale="smoke", out=out))
    with (
        exclusive(plan.folder(out), what="other"),
        pytest.raises(BusyError, match="study tiny at scale smoke is in use by process"),
    ):
        run_plan(plan, out, {}, start=lambda todo: None)

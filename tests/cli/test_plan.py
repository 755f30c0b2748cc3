from pathlib import Path

import pytest
from tests.data.corpora import stories, write_jsonl
from tests.study.retries import planned

from stacklab.api import load_study
from stacklab.cli import run as running
from stacklab.cli.plan import _run_lines, _sooner, _time_line
from stacklab.cli.plan import plan as show_plan
from stacklab.run.timing.cost import RunCost


def test_the_projected_time_says_what_would_shorten_it(tmp_path: Path) -> None:
    def shortened_by(*overrides: str) -> str:
        return _sooner(load_study("depth-tasks", scale="smoke", overrides=overrides, out=tmp_path).plan())

    assert (
        shortened_by()
        == " at most, since runs stop once solved; 12 of 12 runs can be trained together (--engine replicas)"
    )
    assert shortened_by("train.stop=null") == "; 12 of 12 runs can be trained together (--engine replicas)"
    assert shortened_by("train.stop=null", "model.dropout=0.1") == ""


def test_the_plan_names_the_runs_of_stacks_that_fail(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    costs = {arm.name: RunCost(start=60, step=0, evaluation=0, finish=0, peak_bytes=1) for arm in plan.arms}
    assert _run_lines(plan) == [
        "seeds 1, 2, 3: 6 runs",
        "retry: a stack that fails is also trained at 0.0005, 0.001, 0.002, with the same seeds, before it counts as "
        "failing: at most 12 more runs",
    ]
    assert ": 3 min 00 s at most" in _time_line(plan, costs, 2)
    assert _time_line(plan, costs, 2).endswith("; 6 min 00 s more if every stack failed at its first learning rate")
    assert "more if" not in _time_line(planned(tmp_path, retry=None), costs, 2)


UNREAD = "data: columns with text that are not read, with their share of all characters: title ("
SHORT = "data: the validation split has only 1 block; its loss is noisy"


@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_the_data_warn_of_is_shown_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    rows = [story | {"title": f"A title of {number}"} for number, story in enumerate(stories(60))]
    source = f"data.source={{kind: file, path: {write_jsonl(tmp_path / 'a.jsonl', rows)}}}"
    own = ["data.tokenizer={kind: bytes}", "data.block_size=64", "data.validation_fraction=0.06"]

    def trained(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stacklab.api.run_study", trained)
    if command == "plan":
        show_plan("depth", scale="smoke", overrides=[source, *own], out=tmp_path, calibrate=False)
    else:
        with pytest.raises(KeyboardInterrupt):
            running.run("depth", scale="smoke", overrides=[source, *own], out=tmp_path)
    shown = " ".join(capsys.readouterr().out.split())
    assert UNREAD in shown
    assert SHORT in shown

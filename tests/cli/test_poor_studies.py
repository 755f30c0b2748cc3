"""Studies that can settle nothing still run to their report."""

from pathlib import Path

import pytest
from tests.study.conftest import TINY
from typer.testing import CliRunner

from stacklab.base.files import read_json
from stacklab.cli.main import app
from stacklab.report.facts.build import Facts
from stacklab.report.format.verdicts import reason_text

AGGREGATES = """\
aggregates:
  - {name: tasks, label: Over tasks, metrics: [accuracy.hops_1, accuracy.hops_2]}
scales:
"""


def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *args: str) -> tuple[int, str, Facts]:
    """Exit code, output and facts of the tiny study, with one arm that trains for a shorter time."""
    text = TINY.replace("scales:\n", AGGREGATES, 1).replace("[model.num_layers]", "[model.num_layers, train.steps]", 1)
    text = text.replace("change: {model.num_layers: 1}", "change: {train.steps: 4}", 1)
    (tmp_path / "tiny.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    done = CliRunner().invoke(app, ["run", "tiny.yaml", "--engine", "inline", *args])
    (facts,) = tmp_path.glob("stacklab-out/studies/*/report/facts.json")
    return done.exit_code, " ".join(done.output.split()), Facts.model_validate(read_json(facts))


@pytest.mark.trains
def test_one_seed_settles_nothing_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output, facts = ran(tmp_path, monkeypatch, "--seeds", "1")
    assert code == 0, output
    assert {(one.pairing, one.verdict, reason_text(one)) for one in facts.contrasts} == {
        ("unpaired", "inconclusive", "the arm needs 2 values, has 1"),
        ("paired", "inconclusive", "needs 2 pairs, has 1"),
    }
    assert output.count("? inconclusive") == 2
    assert "needs 2 pairs, has 1" in output
    assert {arm.estimate.kind for arm in facts.aggregates[0].arms} == {"undefined"}


@pytest.mark.trains
def test_a_study_of_which_all_runs_diverge_ends_with_code_0_and_invalid_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output, facts = ran(tmp_path, monkeypatch, "train.optimizer.learning_rate=1e30")
    assert {run.status for run in facts.runs} == {"diverged"}
    assert code == 0, output
    assert {one.verdict for one in facts.contrasts} == {"invalid"}
    assert output.count("! invalid") == 2
    assert "deep seed 1: diverged (" in output
    assert facts.aggregates[0].absent == "no run has finished"

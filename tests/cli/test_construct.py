"""`stacklab construct` and `stacklab heads` as a user calls them."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from tests.run.solved import solved_run
from typer.main import get_command
from typer.testing import CliRunner

from stacklab.base.errors import DataError
from stacklab.cli.main import app
from stacklab.interp.construct.registry import CONSTRUCTIONS, blueprint
from stacklab.interp.construct.verify import draw, target_logits
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.train.checkpoint import load_weights, read_weights


def call(*args: str) -> str:
    result = CliRunner().invoke(app, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_construct_builds_checks_explains_and_shows() -> None:
    text = call("construct", "question-answering", "pairs=3", "questions=4", "answers=3", "--sequences", "50")
    assert "layers 2; heads a layer 1, 1;" in text
    assert "layer 1, copying:\n  head 0: every position attends to the one before it" in text
    assert "50 of 50 answers right on 50 sequences in float32" in text
    assert "0 answers differ in float64" in text
    assert re.search(r"sharpness 16; \d is the least whole number that suffices", text)
    worked = text.split("layer 2, matching\n")[1].splitlines()
    assert worked[-1].count("#") == 1


def test_construct_writes_the_model_itself(tmp_path: Path) -> None:
    call("construct", "template-matching", "templates=[AA,AB]", "-n", "20", "--heads", "2", "--out", str(tmp_path))
    names = {"attention.csv", "attention.png", "attention.svg", "construction.json", "model.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == names
    facts = json.loads((tmp_path / "construction.json").read_text())
    assert [one["right"] for one in facts["verified"]] == [20, 20]
    model = Transformer(ModelSpec.model_validate(facts["model"]))
    load_weights(model, read_weights(tmp_path / "model.safetensors"), tmp_path)
    plan = blueprint("template-matching", {"templates": ("AA", "AB")})
    batch = draw(plan, 50)
    answers_N = target_logits(model, batch.tokens_BT, batch.target_mask_BT).argmax(1)
    assert torch.equal(answers_N, torch.from_numpy(batch.targets_BT[batch.target_mask_BT]))


def test_a_wrong_answer_is_reported_and_exits_with_3() -> None:
    outcome = CliRunner().invoke(app, ["construct", "question-answering", "-n", "50", "--sharpness", "0.1"])
    assert outcome.exit_code == 3
    right = re.search(r"(\d+) of 50 answers right", outcome.stdout)
    assert right is not None and int(right[1]) < 50


def test_the_help_names_every_construction() -> None:
    (name, *_) = get_command(app).commands["construct"].params  # type: ignore[attr-defined]
    assert re.findall(r"[a-z]+(?:-[a-z]+)*", " ".join(re.findall(r"\((.*?)\)", name.help))) == list(CONSTRUCTIONS)


BAD = [
    (["construct", "nothing"], "no construction is called 'nothing'; there are copying, "),
    (["construct", "question-answering", "pairs=40"], "40 pairs need 40 different questions; questions is 32"),
    (["construct", "question-answering", "pairs"], "expected path=value"),
    (["construct", "copying", "offset=x"], "copying: offset: "),
    (["construct", "template-matching", "unseen_symbols=2"], "a template has 3 wildcards"),
    (["construct", "parsing", "--heads", "9"], "a layer moves 4 coordinates"),
    (["construct", "question-answering", "--sharpness", "inf"], "sharpness is inf; expected a finite number"),
    (["construct", "question-answering", "questions=1000000000000"], "less than or equal to 1000000"),
    (["construct", "copying", "sequence_length=100000"], "copying: sequences of 100000 positions; at most 1024"),
    (["construct", "sequence-classification", "sequence_length=1000000"], "at most 1024 are supported"),
    (
        ["construct", "in-context-template-matching", "strings=2", "-n", "1", "--seed", "1"],
        "no targets in 1 seq",
    ),
    (["heads", "nothing"], "expected one run that starts with 'nothing'"),
    (["heads", "depth/layers-1"], "no run of the arm has finished"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input_is_one_line_and_exit_code_2(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stacklab", *args])
    from stacklab.cli.main import main

    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr().err
    assert left.value.code == 2
    assert printed.count("\n") == 1
    assert message in printed


def test_heads_of_a_run_beside_untrained_and_constructed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out, maps = tmp_path / "out", tmp_path / "maps"
    run = solved_run(out, seed=1)
    text = call("heads", run.run_id, "--out", str(out), "--sequences", "32", "--maps", str(maps))
    assert "parsing: no symbol occurs twice in a group" in text
    assert "needs" in text, "an interval over one seed is undefined and says so"
    assert re.search(r"│ 2 +│ matching .*│ 0\.\d+, 95% CI \[0\.\d+, 0\.\d+\] +│.*│ 1\.00 \(layer 2\)", text)
    report = json.loads((maps / "heads.json").read_text())
    assert report["seeds"][0]["scores"][0]["value"] == pytest.approx(1.0, abs=1e-4)
    trained, built = (maps / name / "attention.csv" for name in ("trained", "constructed"))
    shares = [[line.rsplit(",", 1)[1] for line in path.read_text().splitlines()] for path in (trained, built)]
    assert shares[0] == shares[1]


def test_heads_of_a_damaged_run_name_its_folder(tmp_path: Path) -> None:
    run = solved_run(tmp_path, seed=1)
    run.result.write_text("[]")
    with pytest.raises(DataError, match=f"damaged, .*{run.run_id}: .*result.json: not an object"):
        call("heads", run.run_id, "--out", str(tmp_path))

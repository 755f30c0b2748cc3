"""`stacklab train`: one run without claims."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stacklab.base.errors import SpecError
from stacklab.base.files import read_json
from stacklab.cli.main import app
from stacklab.study.spec.load import RUN, read_study

FILE = """\
data:
  source: {kind: procedural-cot, records: 100}
  tokenizer: {kind: bytes}
  block_size: 16
model: {d_model: 8, num_layers: 1, num_heads: 2, context_length: 64}
train: {steps: 4, batch_size: 2, keep_best: true}
evaluate: {every: 2, problems: 0}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "My first-run.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.trains
def test_a_run_from_its_file_to_its_report(file: Path) -> None:
    command = [sys.executable, "-m", "stacklab", "train", file.name, "train.steps=3", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.split())
    (spec,) = Path("stacklab-out/runs").glob("*/spec.json")
    metrics = read_json(spec.parent / "result.json")["metrics"]
    assert (
        f"Run {spec.parent.name}, seed 7: finished at step 3. Validation loss {metrics['validation.loss']:.4f} nats"
        in printed
    )
    assert "claim" not in printed and "Question" not in printed
    assert (read_json(spec)["seed"], read_json(spec)["train"]["steps"]) == (7, 3)
    (report,) = Path("stacklab-out/studies").glob("my-first-run-run-*/report/report.md")
    page = report.read_text()
    assert page.startswith("# my\\-first\\-run\n")
    assert "Verdicts" not in page and "## Loss curves" in page
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.stdout == done.stdout
    other = subprocess.run([*command[:-1], "8"], capture_output=True, text=True, check=False)
    assert other.returncode == 0, "another seed is another run: there is no level to keep"
    assert len(list(Path("stacklab-out/runs").iterdir())) == 2


def test_a_run_is_a_study_of_one_arm(file: Path) -> None:
    study = read_study(str(file), scale=RUN, overrides=("model.d_model=12",))
    assert (study.name, study.title, list(study.arms), study.is_plain) == ("my-first-run", "my-first-run", [RUN], True)
    assert study.base.model.d_model == 12
    assert study.scales[RUN].seeds == (1,)
    file.write_text(FILE + "seed: 5\nname: other\ntitle: A title\nlimits: [A limit.]\n")
    study = read_study(str(file), scale=RUN)
    assert (study.scales[RUN].seeds, study.name, study.title, study.limits) == ((5,), "other", "A title", ("A limit.",))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model:", "modle:", "5: modle: unknown key; did you mean model?"),
        (
            "model:",
            "claims:",
            "5: claims: unknown key; the file of a run has name, title, background, limits, seed, data",
        ),
        ("d_model: 8", "d_mdoel: 8", "5: model.d_mdoel: unknown key; did you mean d_model?"),
        ("d_model: 8", "d_model: x", "5: model.d_model: Input should be a valid integer"),
        ("  block_size: 16\n", "", "1: data.block_size: Field required"),
        ("model: {d_model: 8, num_layers: 1, num_heads: 2, context_length: 64}\n", "", "yaml: model: Field required"),
        ("data:", "seed: -1\ndata:", "1: seed: seed -1 is negative"),
        ("data:", "seed: x\ndata:", "1: seed: Input should be a valid integer"),
        ("data:", "name: A name\ndata:", "1: name: String should match pattern"),
    ],
)
def test_mistakes_are_named_by_line_as_they_are_written(file: Path, old: str, new: str, message: str) -> None:
    file.write_text(FILE.replace(old, new))
    with pytest.raises(SpecError) as caught:
        read_study(str(file), scale=RUN)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_an_override_is_named_as_for_a_study(file: Path) -> None:
    with pytest.raises(SpecError, match=r"^override model\.d_modl=5: "):
        read_study(str(file), scale=RUN, overrides=("model.d_modl=5",))


def test_a_study_is_not_trained_as_a_run() -> None:
    result = CliRunner().invoke(app, ["train", "depth"])
    assert isinstance(result.exception, SpecError)
    assert "is no file of one run, which has data and model; `stacklab run depth` runs a study" in str(result.exception)

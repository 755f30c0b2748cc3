"""docs/nanogpt.md: its settings are nanoGPT's, and what it prints runs."""

import re
from pathlib import Path

import pytest

from stacklab.api import load_study
from stacklab.base.files import read_json
from stacklab.model.count import count_parameters
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import OutPaths
from stacklab.study.spec.load import RUN, read_study
from stacklab.train.schedule import learning_rate

PAGE = (Path(__file__).parents[2] / "docs" / "nanogpt.md").read_text()
SMALL = {
    "model.d_model": 16,
    "model.num_heads": 2,
    "model.num_layers": 1,
    "data.block_size": 32,
    "train.steps": 6,
    "train.batch_size": 4,
    "train.schedule": {"warmup_steps": 1, "decay_steps": 4},
    "evaluate.every": 3,
    "sample.tokens": 5,
}


def block(language: str) -> str:
    (one,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(one)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "shakespeare.yaml"
    path.write_text(block("yaml"))
    return path


def test_the_settings_are_those_of_nanogpt(file: Path) -> None:
    base = read_study(str(file), scale=RUN).base
    model = ModelSpec.model_validate(base.model.dump() | {"vocab_size": 65})
    assert count_parameters(model).total == 10_745_088
    assert f"{10_745_088 - 256 * 384:,}"[:5] == "10,64", "nanoGPT counts without positions"
    rates = [learning_rate(base.train, step) for step in (0, 50, 100, 4999)]
    assert rates == pytest.approx([0.0, 5e-4, 1e-3, 1e-4], rel=1e-4)


@pytest.mark.trains
def test_the_recipe_runs_on_the_text_that_the_page_makes(file: Path) -> None:
    exec(block("python").replace("8000", "60"), {})
    text = Path("input.txt").read_text()
    result = load_study(str(file), scale=RUN, overrides=SMALL, out=Path("out"), engine="inline").run()
    (row,) = result.rows
    run = OutPaths(Path("out")).run(row.run_id)
    facts = read_json(run.provenance)["data"]
    assert facts["vocab_size"] == len(set(text)) and facts["end_id"] is None
    assert facts["splits"]["train"]["tokens"] == int(0.9 * len(text))
    assert row.status == "finished" and list(run.bests) == [row.metrics["validation.best_step"]]
    (sample,) = read_json(run.samples)["after"]
    assert len(sample["text"]) == 5, "nothing ends a text before its tokens are used up"

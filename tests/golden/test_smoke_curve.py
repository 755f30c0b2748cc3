"""The first steps of the smoke study's deep arm, pinned.

A refactor must not move them; a change that is meant to move them updates the file in a commit of its own:
python -m tests.golden.test_smoke_curve
"""

import json
from pathlib import Path

import pytest

from stacklab.base.files import read_jsonl, write_json
from stacklab.run.execute import execute
from stacklab.run.paths import OutPaths
from stacklab.run.store import create_run
from stacklab.study.planning.plan import make_plan
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest

GOLDEN = Path(__file__).with_name("smoke_layers_12.json")
OVERRIDES = ["train.steps=6", "evaluate.every=3", "evaluate.problems=1", "evaluate.answer_tokens=2", "sample.tokens=2"]
# Machines and torch builds round differently; six steps in, that is far below this.
TOLERANCE = 2e-4


def curve(out: Path) -> dict[str, list[float | str]]:
    plan = make_plan(read_study("depth", scale="smoke", overrides=OVERRIDES), StudyRequest(scale="smoke", out=out))
    spec = plan.run_spec(plan.arm("layers-12"), 1)
    paths = OutPaths(out).run(spec.run_id)
    create_run(spec, paths)
    execute(paths.folder, threads=1)
    steps, evals = read_jsonl(paths.metrics), read_jsonl(paths.evals)
    return {
        "loss": [row["loss"] for row in steps],
        "norm": [row["norm"] for row in steps],
        "batch": [row["batch"] for row in steps],
        "validation.loss": [row["validation.loss"] for row in evals],
        "train_probe.loss": [row["train_probe.loss"] for row in evals],
    }


@pytest.mark.trains
def test_the_curve_is_the_golden_one(tmp_path: Path) -> None:
    found, golden = curve(tmp_path), json.loads(GOLDEN.read_text())
    assert found["batch"] == golden["batch"], "the data or their order changed"
    for name in golden.keys() - {"batch"}:
        assert found[name] == pytest.approx(golden[name], rel=TOLERANCE), (
            f"{name} moved; if that is meant, run: python -m tests.golden.test_smoke_curve"
        )


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write_json(GOLDEN, curve(Path(folder)))

"""The smoke scale of depth-tasks, run as it is: a test that training learns what it must and cannot learn the rest."""

from pathlib import Path

import pytest

from stacklab.api import load_study
from stacklab.study.results.cells import thresholds


@pytest.mark.trains
@pytest.mark.timeout(900)
def test_two_layers_solve_what_one_cannot(tmp_path: Path) -> None:
    result = load_study("depth-tasks", scale="smoke", out=tmp_path).run(engine="replicas", workers=1)
    (claim,) = [one for one in result.claims if one.id == "reasoning:question-answering-layers-1-heads-1"]
    assert all(pair.arm - pair.against > 0.5 for pair in claim.pairs)
    # Three seeds leave open how often the deeper stack fails.
    assert (claim.verdict, claim.relation) == ("inconclusive", "includes zero with one more seed at the worst end")
    grid = result.plan.study.grid
    assert grid is not None
    asked = [found for found in thresholds(grid, result.cells) if found.solved]
    found = {each.at["task"]: (each.depth, each.at_most) for each in asked}
    assert found == {"question-answering": ("2", True), "same-different": ("2", True)}, (
        "at most, for one rate was tried"
    )
    (one,) = [cell for cell in result.cells if cell.arm == "question-answering-layers-1-heads-1"]
    assert one.verdict == "one rate tried" and one.baseline == pytest.approx(1 / 8, abs=0.02)
    assert one.mean is not None and one.mean < one.baseline + 0.05

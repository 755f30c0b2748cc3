from pathlib import Path

import pytest
from tests.study.conftest import TINY

from stacklab.api import load_study
from stacklab.bench.plan import render, run_bench


@pytest.mark.trains
def test_plan_and_reality_stand_side_by_side(tmp_path: Path) -> None:
    study = tmp_path / "tiny.yaml"
    study.write_text(TINY)
    chosen = load_study(str(study), scale="one-arm", out=tmp_path / "out", workers=1)
    result = run_bench(chosen.plan(), chosen.request)
    assert result["ratio"] == result["real_seconds"] / result["projected_seconds"]
    (arm,) = result["arms"]
    assert 0.5 < arm["ratio"] < 2
    assert render(result).splitlines()[1] == f"peak memory of deep: {arm['ratio']:.2f} times the plan"

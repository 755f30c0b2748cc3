from dataclasses import replace
from pathlib import Path

import pytest
from tests.study.retries import planned, ran

from stacklab.base.errors import RunsFailedError
from stacklab.cli.run import run


def test_a_run_that_fails_at_another_rate_counts_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finals = {(1, 1e-3): 0.5, (1, 5e-4): 0.4, (1, 2e-3): 0.6, (2, 1e-3): 0.97}
    result, _ = ran(planned(tmp_path), tmp_path, finals)
    *others, last = result.retried
    lost = last.model_copy(update={"status": "failed", "reason": "no memory"})
    monkeypatch.setattr("stacklab.api.run_study", lambda *_, **__: replace(result, retried=[*others, lost]))
    with pytest.raises(RunsFailedError, match=r"1 of 12 runs failed, the first: 4-layers-1@0\.002 seed 3: no memory"):
        run("parity", scale="smoke", overrides=["data.probe=64"], out=tmp_path)

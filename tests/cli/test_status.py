from pathlib import Path

import pytest
from tests.study.retries import planned, ran

from stacklab.cli.status import status


def test_what_is_trained_again_at_other_rates_is_shown_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    ran(planned(tmp_path), tmp_path, {(1, 1e-3): 0.5, (1, 5e-4): 0.4, (1, 2e-3): 0.6, (2, 1e-3): 0.97})
    status(out=tmp_path)
    shown = capsys.readouterr().out
    assert "12 of 12 runs done" in shown
    assert shown.count("4-layers-1@0.002") == 3
    assert "400/1500" in shown, "steps of how many"

import pytest

from stacklab.bench import replicas
from stacklab.bench.replicas import render, run_bench, summarise


def test_medians_are_of_ratios_within_pairs() -> None:
    rows = {
        "together": [{"rate": rate, "cpu_rate": rate / 2, "drawing": 0.04} for rate in (30.0, 80.0, 50.0)],
        "alone": [{"rate": rate, "cpu_rate": rate / 4, "drawing": 0.02} for rate in (10.0, 20.0, 25.0)],
    }
    summary = summarise(1, rows)
    assert (summary["rate_ratio"], summary["cpu_rate_ratio"]) == (3.0, 6.0)
    text = render({"pairs": 3, "seeds": 8, "processes": 2, "device": "cpu", "results": [summary]})
    assert "3.00" in text and "2.00-4.00" in text and "50 vs 20" in text and "4.0% vs 2.0%" in text


@pytest.mark.trains
def test_both_arrangements_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "CPU", replicas.CPU._replace(alone=1, together=1))
    (row,) = run_bench(pairs=1, seeds=2, heads=(1,))["results"]
    assert row["rate_ratio"] > 0 and 0 < row["alone"]["drawing"] < 1

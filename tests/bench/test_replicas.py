import pytest
import torch

from stacklab.base.errors import DeviceError, SpecError
from stacklab.bench import replicas
from stacklab.bench.replicas import Arrangement, render, run_bench, summarise


def test_medians_are_of_ratios_within_pairs() -> None:
    rows = {
        "together": [{"rate": rate, "cpu_rate": rate / 2, "drawing": 0.04} for rate in (30.0, 80.0, 50.0)],
        "alone": [{"rate": rate, "cpu_rate": rate / 4, "drawing": 0.02} for rate in (10.0, 20.0, 25.0)],
    }
    summary = summarise(1, rows)
    assert (summary["rate_ratio"], summary["cpu_rate_ratio"]) == (3.0, 6.0)
    text = render({"pairs": 3, "seeds": 8, "device": "cpu", "processes": 2, "results": [summary]})
    assert "3.00" in text and "2.00-4.00" in text and "50 vs 20" in text and "4.0% vs 2.0%" in text


@pytest.mark.trains
def test_both_arrangements_train(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Arrangement(2, 2, {"alone": 1, "together": 1})
    monkeypatch.setitem(replicas.ARRANGEMENTS, "cpu", short)
    measured = run_bench(pairs=1, heads=(1,))
    assert (measured["device"], measured["processes"], measured["seeds"]) == ("cpu", 2, 2)
    (row,) = measured["results"]
    assert row["rate_ratio"] > 0 and 0 < row["alone"]["drawing"] < 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a card")
def test_a_card_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"train\.device = cuda: there is no such device here"):
        run_bench(device="cuda")
    with pytest.raises(SpecError, match="mps is not measured; choose one of auto, cpu, cuda"):
        run_bench(device="mps")


@pytest.mark.gpu
def test_both_arrangements_train_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(replicas.ARRANGEMENTS, "cuda", Arrangement(1, 4, {"alone": 5, "together": 5}))
    measured = run_bench(pairs=1, heads=(1,), device="cuda")
    assert (measured["device"], measured["results"][0]["rate_ratio"] > 0) == ("cuda", True)

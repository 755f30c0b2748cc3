"""What is said of a card, from made-up times: there is none here."""

from typing import Any

import pytest

from stacklab.bench.products import MATRIX_FLOPS, head_flops, product_flops
from stacklab.bench.spec import StepSpec
from stacklab.bench.step import render
from stacklab.bench.step_on_card import summarise
from stacklab.model.count import flops_per_token

SPEC = StepSpec(layers=2, d_model=64, batch=16, device="cuda", steps=5)
RATE = 1e15
SECONDS = {
    "stacklab": [0.30, 0.40, 0.50],
    "stacklab-compiled": [0.10, 0.20, 0.20],
    "nondeterministic-compiled": [0.10, 0.16, 0.20],
    "peer": [0.40, 0.40, 0.80],
    "peer-compiled": [0.15, 0.20, 0.10],
    "products": [0.05, 0.10, 0.15],
    "head": [0.08, 0.10, 0.12],
    "matrix": [0.01, 0.02, 0.03],
}


def summary(*, left_out: tuple[str, ...] = (), rate: float | None = RATE) -> dict[str, Any]:
    seconds = {name: values for name, values in SECONDS.items() if name not in left_out}
    peaks = dict.fromkeys(seconds, 2.0**30) | {"peer": 2.0**32}
    return summarise(SPEC, seconds, peaks, dict.fromkeys(left_out, "CUDA out of memory"), rate)


def test_ratios_are_medians_within_pairs_against_the_fastest_own() -> None:
    row = summary()
    assert row["own"] == "stacklab-compiled"
    assert row["peers"]["peer"]["speed_ratio"] == pytest.approx(4.0)
    assert row["peers"]["peer"]["memory_ratio"] == 0.25
    assert row["peers"]["peer-compiled"]["speed_ratio"] == pytest.approx(1.0)
    assert row["determinism"] == pytest.approx(1.0)


def test_mfu_and_shares_are_operations_over_time_and_rate() -> None:
    row = summary()
    flops = flops_per_token(SPEC.model, context=512) * 16 * 512
    assert row["contestants"]["stacklab-compiled"]["mfu"] == pytest.approx(flops / 0.20 / RATE)
    assert row["matrix_rate"] == pytest.approx(MATRIX_FLOPS / 0.02)
    assert row["product_rate"] == pytest.approx(product_flops(SPEC) / 0.10)
    assert row["head_share"] == pytest.approx(head_flops(SPEC) / 0.10 / (MATRIX_FLOPS / 0.02))
    assert row["product_share"] == pytest.approx(0.5)
    assert set(row["contestants"]) == set(SECONDS) - {"products", "head", "matrix"}


def test_an_unknown_card_has_no_mfu() -> None:
    row = summary(rate=None)
    assert {one["mfu"] for one in row["contestants"].values()} == {None}
    text = render({"pairs": 3, "card": {"name": "Card", "precision": "bf16", "peak_rate": None}, "results": [row]})
    assert "peak rate unknown: no MFU" in text and "stacklab-compiled against peer: 4.00 times as fast" in text


@pytest.mark.parametrize("left_out", [("matrix",), ("head",), ("products",), ("nondeterministic-compiled",), ("peer",)])
def test_the_rest_is_shown_without_a_contestant_that_failed(left_out: tuple[str, ...]) -> None:
    card = {"name": "Card", "precision": "bf16", "peak_rate": RATE}
    text = render({"pairs": 3, "card": card, "results": [summary(left_out=left_out)]})
    assert f"left out: {left_out[0]}: CUDA out of memory" in text
    assert text.count("nan") == text.count("None") == 0


def test_nothing_is_compared_where_stacklab_failed() -> None:
    own = ("stacklab", "stacklab-compiled", "nondeterministic-compiled")
    row = summary(left_out=own)
    assert row["own"] is None and row["peers"] == {} and row["determinism"] is None and row["product_share"] is None
    assert "left out: stacklab: CUDA out of memory" in render(
        {"pairs": 3, "card": {"name": "Card", "precision": "bf16", "peak_rate": RATE}, "results": [row]}
    )

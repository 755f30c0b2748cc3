from pathlib import Path

import pytest
from rich.console import Console

from stacklab.api import load_study
from stacklab.base.units import count
from stacklab.cli.plan_tables import arm_table, attention_table, contrast_table, match_table, memory_table
from stacklab.model.count import visible_flops_per_token
from stacklab.run.timing.cost import RunCost
from stacklab.study.planning.attention_cost import AttentionCosts
from stacklab.study.planning.fit import PROCESS_BYTES
from stacklab.study.planning.plan import make_plan
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest


def cells(table: object, label: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The row of an arm as printed 120 columns wide; nothing may be cut off."""
    Console(width=120).print(table)
    text = capsys.readouterr().out
    assert "…" not in text
    (row,) = [line for line in text.splitlines() if line.startswith(f"│ {label} ")]
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_a_runs_memory_is_shown_by_parts_that_add_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ("data.source.records=200", "data.tokenizer={kind: bytes}", "data.validation_fraction=0.2")
    plan = load_study("depth", scale="laptop", overrides=overrides, out=tmp_path).plan()
    cost = RunCost(start=1, step=0.25, evaluation=1, finish=1, peak_bytes=512 * 2**20)
    costs = {arm.name: cost for arm in plan.arms}
    _, states, optimizer, activations, scores, whole, chunk, process, total, measured = cells(
        memory_table(plan, costs), "12 layers", capsys
    )
    held = plan.arm("layers-12").memory_bytes
    parts = [float(part) for part in (states, optimizer, activations, scores, chunk, process)]
    assert (
        float(total)
        == pytest.approx(sum(parts), abs=1)
        == pytest.approx((held["total"] + PROCESS_BYTES) / 2**20, abs=1)
    )
    assert float(scores) == held["scores"] / 2**20
    assert float(whole) == 8 * 2 * 256 * 256 * 4 / 2**20
    assert measured == "512"
    arms = cells(arm_table(plan, {"layers-12": cost}, {}), "12 layers", capsys)
    arm = plan.arm("layers-12")
    assert arms[3:5] == [f"{arm.total_parameters:,}", f"{arm.non_embedding_parameters:,}"]
    assert arms[6] == "250 ms"
    assert "not measured" in cells(arm_table(plan, {}, {}), "12 layers", capsys)
    assert len(arms) == 7  # no windows, so nothing of visible pairs
    table = match_table(plan)
    assert table is not None
    assert table.row_count == 2
    contrasts = contrast_table(plan)
    assert contrasts is not None
    assert contrasts.row_count == len(plan.contrasts) > 0
    assert contrast_table(plan.model_copy(update={"contrasts": ()})) is None


def test_visible_pairs_are_counted_where_some_are_hidden(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = (
        *("data.source.records=200", "data.tokenizer={kind: bytes}", "data.validation_fraction=0.2"),
        "model.attention_pattern={kind: block, size: 16}",
    )
    plan = load_study("depth", scale="laptop", overrides=overrides, out=tmp_path).plan()
    arm = plan.arm("layers-12")
    visible = visible_flops_per_token(arm.config.model, context=256)
    assert visible < arm.flops_per_token
    assert cells(arm_table(plan, {}, {}), "12 layers", capsys)[7] == count(visible)


def test_a_step_is_predicted_from_another_by_their_attention(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ("data.source.records=200", "data.tokenizer={kind: bytes}", "data.validation_fraction=0.2")
    study = read_study("depth", scale="laptop", overrides=overrides)
    heads = study.arms["layers-1"].model_copy(update={"label": "heads", "change": {"model.num_heads": 4}})
    base = study.arms["layers-12"].model_copy(update={"label": "base"})
    study = study.model_copy(update={"control": "layers-12", "knobs": ("model.num_heads", "model.num_layers")})
    study = study.model_copy(update={"arms": study.arms | {"layers-1": heads, "layers-12": base}})
    plan = make_plan(study, StudyRequest(scale="laptop", out=tmp_path))
    seconds = {"layers-12": (0.010,), "layers-1": (0.020,), "layers-2": (0.030,)}
    attention = AttentionCosts(seconds=seconds, rounds=5, threads=1, processor="p")
    costs = {
        name: RunCost(start=1, step=step, evaluation=1, finish=1, peak_bytes=1)
        for name, step in (("layers-12", 0.240), ("layers-1", 0.300))
    }
    table = attention_table(plan, attention, costs)
    assert table.row_count == 3
    assert cells(table, "base", capsys)[2:] == ["10", "10 ms", "4%", "—", "240 ms"]
    assert cells(table, "heads", capsys)[2:] == ["20", "20 ms", "7%", "250 ms", "300 ms"]
    assert cells(table, "2 layers", capsys)[2:] == ["30", "30 ms", "—", "—", "—"]

"""What attention costs the arms: measured once, kept, summed over layers, and used to foretell a step."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacklab.api import load_study
from stacklab.base.errors import DataError
from stacklab.run.paths import OutPaths
from stacklab.study.execution.run import with_attention
from stacklab.study.planning import attention_cost as attention
from stacklab.study.planning.attention_cost import (
    attention_costs,
    attention_differs,
    differ_in_attention_alone,
)
from stacklab.study.planning.plan import Plan, load_plan, save_plan
from stacklab.study.spec.study import BaseSpec

TREND = "trend: {series: {all: [deep, shallow]}, reference: all, at: 3}\nscales:"


class FakeMachine:
    """Stands for the measuring process: a second a head, half of it in a window."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, module: str, specs: str, out: Path, *, threads: int, mend: str) -> str:
        models = [form["model"] for form in json.loads(specs)]
        self.calls.append((len(models), threads))
        return json.dumps([[9.0, model["num_heads"] / (2 if model["window"] else 1), 0.0] for model in models])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    fake = FakeMachine()
    monkeypatch.setattr(attention, "measured", fake)
    return fake


class Arm:
    def __init__(self, *, batch: tuple[int, int | None] = (4, None), **model: Any) -> None:
        self.config = BaseSpec.model_validate(
            {
                "data": {"source": {"kind": "procedural-cot"}, "tokenizer": {"kind": "bytes"}, "block_size": 16},
                "model": {"d_model": 8, "num_layers": 2, "num_heads": 2, "vocab_size": 9} | model,
                "train": {"batch_size": batch[0], "micro_batch_size": batch[1]},
            }
        )


def planned(file: Path, **kwargs: Any) -> Plan:
    return load_study(str(file), out=file.parent / "out", **kwargs).plan()


def test_a_run_of_a_trend_has_it_measured_once_and_kept_in_the_plan(
    tiny: Path, machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_attention(planned(tiny), tmp_path, threads=2).attention is None
    tiny.write_text(tiny.read_text().replace("scales:", TREND))
    unmeasured = planned(tiny)
    assert unmeasured.attention is None
    assert machine.calls == []
    plan = with_attention(unmeasured, tmp_path, threads=2)
    assert plan.attention is not None
    assert (plan.attention.seconds["deep"], plan.attention.seconds["shallow"]) == ((2.0, 2.0), (2.0,))
    assert "medians of 3 rounds in turn, 2 threads of " in plan.attention.text()
    # The deep arm's layers and the shallow one's are of one form, the wide arm's of another.
    assert machine.calls == [(2, 2)]
    monkeypatch.setattr(attention, "measured", None)
    assert with_attention(unmeasured, tmp_path, threads=2) == plan
    save_plan(plan, tmp_path / "saved")
    assert load_plan(tmp_path / "saved") == plan


def test_seconds_are_per_step_and_layer(machine: FakeMachine, tmp_path: Path) -> None:
    arms = {
        "plain": Arm(num_heads=[2, 4]),
        "accumulated": Arm(num_heads=[2, 4], batch=(4, 1)),
        "windowed": Arm(window=[None, 3]),
        "dropped": Arm(layer_drop=[0.0, 0.25]),
    }
    costs = attention_costs(arms, tmp_path, threads=1)
    assert costs.seconds == {
        "plain": (2.0, 4.0),
        "accumulated": (8.0, 16.0),
        "windowed": (2.0, 1.0),
        "dropped": (2.0, 1.5),
    }
    assert costs.of("plain") == 6.0
    assert costs.predicted(10.0, reference="windowed", arm="plain") == 13.0


def test_which_arms_differ_in_attention() -> None:
    plain, heads, wide = Arm().config, Arm(num_heads=[2, 4]).config, Arm(d_model=16).config
    deep, windowed, unscaled = Arm(num_layers=3).config, Arm(window=3).config, Arm(attention_scale="none").config
    shared = Arm(num_kv_heads=1).config
    strided = Arm(attention_pattern={"kind": "strided", "stride": 2}).config
    assert not attention_differs([plain, wide, deep])
    assert all(attention_differs([plain, other]) for other in (heads, windowed, unscaled, shared, strided))
    assert all(differ_in_attention_alone(plain, other) for other in (heads, windowed, unscaled, shared, strided))
    assert not any(differ_in_attention_alone(plain, other) for other in (wide, deep, Arm(batch=(8, None)).config))


def test_rotary_positions_are_part_of_attention() -> None:
    learned, added, none = Arm().config, Arm(position="sinusoidal").config, Arm(position="none").config
    rotary, slower = Arm(position="rotary").config, Arm(position={"kind": "rotary", "base": 500.0}).config
    assert not attention_differs([learned, added, none])
    assert not attention_differs([rotary, slower])
    assert attention_differs([learned, rotary])
    assert differ_in_attention_alone(none, rotary) and differ_in_attention_alone(slower, rotary)
    # A table that only one of them adds to the stream takes time outside of attention.
    assert not differ_in_attention_alone(learned, rotary)


def test_a_damaged_measurement_says_how_to_mend_it(machine: FakeMachine, tmp_path: Path) -> None:
    attention_costs({"one": Arm()}, tmp_path, threads=1)
    (kept,) = OutPaths(tmp_path).attention.glob("[!.]*.json")
    kept.write_text("{}")
    with pytest.raises(DataError, match="delete it to measure again"):
        attention_costs({"one": Arm()}, tmp_path, threads=1)


@pytest.mark.trains
def test_a_real_measurement_of_attention(tmp_path: Path) -> None:
    costs = attention_costs({"one": Arm(num_layers=1)}, tmp_path, threads=1)
    assert 1e-6 < costs.of("one") < 10

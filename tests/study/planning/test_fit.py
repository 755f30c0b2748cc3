"""What does not fit is refused, and what the refusal names does fit."""

import re
from pathlib import Path

import pytest
from tests.study.planned import planned
from tests.study.retries import planned as with_retries

from stacklab.base.errors import SpecError
from stacklab.study.planning.fit import PROCESS_BYTES, check_fits, disk_bytes
from stacklab.study.planning.match import Match, with_knob
from stacklab.study.planning.plan import Plan
from stacklab.study.spec.study import BaseSpec, MatchSpec

PLENTY = 2**50


def refusal(plan: Plan, *, workers: int = 1, available: int = PLENTY, free: int = PLENTY) -> str:
    with pytest.raises(SpecError) as caught:
        check_fits(plan, workers=workers, available=available, free=free)
    return str(caught.value)


def named(pattern: str, text: str) -> int:
    suggested = re.search(pattern, text)
    assert suggested, text
    return int(suggested[1])


def needed(plan: Plan) -> int:
    return max(arm.memory_bytes["total"] for arm in plan.arms) + PROCESS_BYTES


def test_a_smaller_micro_batch_is_named_first(tiny: Path) -> None:
    settings = "train.batch_size=4096"
    plan = planned(tiny, settings)
    check_fits(plan, workers=1, available=needed(plan), free=PLENTY)
    available = needed(plan) - 2**20
    part = named(r"train\.micro_batch_size=(\d+) fits", refusal(plan, available=available))
    assert part == 2048
    check_fits(planned(tiny, settings, f"train.micro_batch_size={part}"), workers=1, available=available, free=PLENTY)


@pytest.mark.parametrize("path", ["model.d_model", "model.num_layers", "data.block_size"])
def test_the_least_change_of_each_setting_is_named_where_no_micro_batch_fits(tiny: Path, path: str) -> None:
    """As large as named it fits, controls solved anew; one step larger it does not."""
    tiny.write_text(tiny.read_text().replace("change: {model.num_layers: 1}", "change: {model.dropout: 0.0}"))
    tiny.write_text(tiny.read_text().replace("knobs: [model.num_layers]", "knobs: [model.dropout]"))
    settings = ("model.d_model=64", "model.num_layers=6", "train.micro_batch_size=1")
    available = PROCESS_BYTES + int(0.9 * (needed(planned(tiny, *settings)) - PROCESS_BYTES))
    text = refusal(planned(tiny, *settings), available=available)
    assert "with train.micro_batch_size=1, " in text
    value = named(re.escape(path) + r"=(\d+)", text)
    check_fits(planned(tiny, *settings, f"{path}={value}"), workers=1, available=available, free=PLENTY)
    step = 2 if path == "model.d_model" else 1
    refusal(planned(tiny, *settings, f"{path}={value + step}"), available=available)


def test_a_setting_that_the_largest_arm_fixes_is_not_named(tiny: Path) -> None:
    """The matched control is the largest and has one layer whatever the base has, but its width follows the base."""
    text = refusal(planned(tiny, "model.num_layers=6", "train.micro_batch_size=1"), available=PROCESS_BYTES + 30_000)
    assert "model.num_layers=" not in text


def test_a_control_of_equal_time_counts_as_it_was_solved(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it has a thousand times the memory that equal FLOPs would give it."""
    by_time = "match: {quantity: step_seconds, to: deep, knob: model.d_ff}\n    consequences: [model.d_ff]"
    tiny.write_text(re.sub(r"match: .*\n.*\]", by_time, tiny.read_text(), count=1))

    def solved(match: MatchSpec, control: BaseSpec, target: BaseSpec) -> Match:
        return Match(with_knob(match, control.model, 100_000), 100_000, 0.0)

    monkeypatch.setattr("stacklab.study.planning.plan.step_time_solver", lambda *_, **__: solved)
    settings = "train.batch_size=64"
    available = needed(planned(tiny, settings)) - 2**20
    part = named(r"train\.micro_batch_size=(\d+) fits", refusal(planned(tiny, settings), available=available))
    check_fits(planned(tiny, settings, f"train.micro_batch_size={part}"), workers=1, available=available, free=PLENTY)
    text = refusal(planned(tiny), available=PROCESS_BYTES + 2**20)
    assert "alone fits" in text


def test_where_nothing_fits_no_setting_is_named(tiny: Path) -> None:
    assert "no micro-batch, d_model, num_layers or block_size alone fits" in refusal(planned(tiny), available=2**20)


def test_fewer_workers_are_named_that_fit(tiny: Path) -> None:
    plan = planned(tiny)
    available = 3 * needed(plan) + 1
    workers = named(r"--workers (\d+) fits", refusal(plan, workers=5, available=available))
    assert workers == 3
    check_fits(plan, workers=workers, available=available, free=PLENTY)


def test_for_the_disk_fewer_workers_are_named_before_fewer_seeds(tiny: Path) -> None:
    plan = planned(tiny, seeds=(1, 2, 3, 4))
    free = disk_bytes(plan, workers=2)
    check_fits(plan, workers=2, available=PLENTY, free=free)
    assert named(r"of disk, .*--workers (\d+) fits", refusal(plan, workers=5, free=free)) == 2
    free = disk_bytes(plan, workers=1) - 1
    seeds = named(r"--seeds (\d+) --workers 1 fits", refusal(plan, workers=5, free=free))
    assert seeds == 3
    check_fits(planned(tiny, seeds=(1, 2, 3)), workers=1, available=PLENTY, free=free)
    assert "one seed needs" in refusal(plan, free=1000)


def test_the_disk_must_hold_the_best_weights_where_they_are_kept(tiny: Path) -> None:
    plan, keeping = planned(tiny), planned(tiny, "train.keep_best=true")
    one = 4 * max(arm.total_parameters for arm in plan.arms)
    all_arms = sum(4 * arm.total_parameters for arm in plan.arms) * len(plan.seeds)
    assert disk_bytes(keeping, workers=2) - disk_bytes(plan, workers=2) == all_arms + 2 * one


def test_the_disk_must_hold_what_stacks_that_fail_leave_at_other_rates(tmp_path: Path) -> None:
    plan, without = (with_retries(tmp_path, **kind) for kind in ({}, {"retry": None}))
    weights = sum(4 * arm.total_parameters for arm in plan.arms)
    assert disk_bytes(plan, workers=1) - disk_bytes(without, workers=1) == 2 * 3 * weights, "two rates, three seeds"

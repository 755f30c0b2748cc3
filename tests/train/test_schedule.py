import math

import pytest
from pydantic import ValidationError

from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.schedule import learning_rate
from stacklab.train.spec import ScheduleSpec, TrainSpec

# (step, rate) as the source's training log prints them.
SOURCE_LOG = [
    (1, 0.0), (25, 1.44e-4), (50, 2.94e-4), (75, 2.98e-4), (100, 2.92e-4), (125, 2.82e-4), (150, 2.69e-4),
    (175, 2.52e-4), (200, 2.33e-4), (225, 2.12e-4), (250, 1.89e-4), (275, 1.66e-4), (300, 1.42e-4), (325, 1.20e-4),
    (350, 9.83e-5), (375, 7.89e-5), (400, 6.22e-5), (425, 4.86e-5), (450, 3.85e-5), (475, 3.22e-5), (500, 3.00e-5),
]  # fmt: skip


@pytest.mark.parametrize(("step", "rate"), SOURCE_LOG)
def test_the_default_schedule_is_the_sources(step: int, rate: float) -> None:
    assert f"{learning_rate(TrainSpec(), step - 1):.2e}" == f"{rate:.2e}"


def test_constant_holds_the_peak_after_the_warm_up() -> None:
    spec = TrainSpec(schedule=ScheduleSpec(kind="constant", warmup_steps=2), optimizer=AdamWSpec(learning_rate=1.0))
    assert [learning_rate(spec, step) for step in (0, 1, 2, 499)] == [0.0, 0.5, 1.0, 1.0]


def test_no_warm_up_starts_at_the_peak() -> None:
    assert learning_rate(TrainSpec(schedule=ScheduleSpec(warmup_steps=0)), 0) == 3e-4


def nanogpt_rate(step: int, *, peak: float, lowest: float, warmup: int, decay: int) -> float:
    """get_lr of nanoGPT's train.py, with the warm-up of its first version."""
    if step < warmup:
        return peak * step / warmup
    if step > decay:
        return lowest
    ratio = (step - warmup) / (decay - warmup)
    return lowest + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (peak - lowest)


@pytest.mark.parametrize("decay", [300, 500, 2000])
def test_a_decay_that_ends_elsewhere_than_training_is_nanogpts(decay: int) -> None:
    schedule = ScheduleSpec(warmup_steps=100, final_ratio=0.1, decay_steps=decay)
    spec = TrainSpec(steps=500, schedule=schedule, optimizer=AdamWSpec(learning_rate=1e-3))
    for step in range(500):
        expected = nanogpt_rate(step, peak=1e-3, lowest=1e-4, warmup=100, decay=decay)
        assert learning_rate(spec, step) == pytest.approx(expected, rel=1e-12)
    assert (learning_rate(spec, 499) == 1e-4) == (decay == 300)


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [({"kind": "constant", "decay_steps": 9}, "does not decay"), ({"warmup_steps": 9, "decay_steps": 9}, "above")],
)
def test_a_decay_that_cannot_be_is_refused(schedule: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ScheduleSpec.model_validate(schedule)


def test_a_schedule_without_decay_steps_keeps_its_fingerprint() -> None:
    assert "decay_steps" not in TrainSpec().dump()["schedule"]

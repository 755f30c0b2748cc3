from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from tests.train.trainers import MODEL, PAIR, PLAIN

from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.train.loop import Batch, LoopCallbacks, Outcome, train
from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer


class Memory:
    """A recorder that keeps its rows."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.evals: list[dict[str, Any]] = []
        self.saved: list[int] = []

    def record_step(self, row: dict[str, Any]) -> None:
        self.steps.append(row)

    def record_evaluation(self, row: dict[str, Any]) -> None:
        self.evals.append(row)

    def record_time(self, step: int, *, seconds: float, tokens: int, loss: float) -> None:
        assert seconds > 0
        assert tokens == 64


def run(
    memory: Memory,
    *,
    stop_at: int = 99,
    solved_after: int = 99,
    start: int = 0,
    first: float | None = None,
    values: Iterable[float] = (1.0,) * 9,
    late: bool = False,
    **change: Any,
) -> Outcome:
    trainer = Trainer(build(ModelSpec(**MODEL), seed=0), TrainSpec(**PLAIN | {"checkpoint_every": 4} | change), seed=0)
    trainer.reads_late = late
    losses = iter(values)
    callbacks = LoopCallbacks(
        get_batch=lambda step: Batch(*map(np.asarray, PAIR), f"h{step}"),
        evaluate=lambda: {"x": next(losses)},
        save_checkpoint=memory.saved.append,
        should_stop=lambda: len(memory.steps) >= stop_at,
        is_solved=lambda: len(memory.evals) >= solved_after,
    )
    return train(trainer, callbacks, memory, evaluate_every=4, start=start, first_loss=first)


def test_rows_evaluations_and_checkpoints_fall_where_they_should() -> None:
    memory = Memory()
    assert run(memory) == Outcome("finished", 10)
    assert [row["step"] for row in memory.steps] == list(range(1, 11))
    assert [row["batch"] for row in memory.steps] == [f"h{step}" for step in range(10)]
    assert [row["step"] for row in memory.evals] == [0, 4, 8, 10]
    assert memory.saved == [4, 8]


@pytest.mark.parametrize("stop_at", [99, 3, 4, 6])
def test_numbers_that_are_read_a_step_later_are_the_same(stop_at: int) -> None:
    """As on a device: the next step is launched first, and all are read before anything is saved or evaluated."""
    now, later = Memory(), Memory()
    ends = run(now, stop_at=stop_at), run(later, stop_at=stop_at, late=True)
    assert ends[1].kind == ends[0].kind and ends[1].step - ends[0].step in (0, 1)
    assert later.steps[: len(now.steps)] == now.steps and len(later.steps) == ends[1].step
    assert later.evals[: len(now.evals)] == now.evals


def test_a_divergence_that_is_read_later_ends_the_run_at_the_same_step() -> None:
    fast = AdamWSpec(learning_rate=1e18, clip_norm=None)
    now, later = Memory(), Memory()
    assert run(later, optimizer=fast, late=True) == run(now, optimizer=fast)
    assert later.steps == now.steps


def test_a_stop_saves_at_the_next_boundary() -> None:
    memory = Memory()
    assert run(memory, stop_at=3) == Outcome("stopped", 3)
    assert memory.saved == [3]


@pytest.mark.filterwarnings("ignore:lr_scheduler")
def test_divergence_is_an_outcome() -> None:
    memory = Memory()
    outcome = run(memory, optimizer=AdamWSpec(learning_rate=1e18, clip_norm=None))
    assert outcome.kind == "diverged"
    assert "at step" in outcome.reason
    assert outcome.step == len(memory.steps) + 1


def test_a_loss_far_above_the_first_is_divergence_also_after_a_resume() -> None:
    memory = Memory()
    outcome = run(memory, start=5, first=0.5, diverged_above=2.0)
    assert outcome == Outcome("diverged", 6, outcome.reason)
    assert "2 times the first one (0.5)" in outcome.reason


@pytest.mark.parametrize(("values", "step"), [([1.0, float("nan")], 4), ([1.0, 1.0, 1.0, float("inf")], 10)])
def test_an_evaluation_that_is_not_finite_is_divergence(values: list[float], step: int) -> None:
    memory = Memory()
    outcome = run(memory, values=values)
    assert (outcome.kind, outcome.step) == ("diverged", step)
    assert "x became" in outcome.reason
    assert len(memory.evals) == len(values) - 1

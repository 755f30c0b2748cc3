"""Baselines and metrics of tasks, known before any training."""

from pathlib import Path

from stacklab.base.streams import numpy_stream
from stacklab.run.resolve_data import fixed_set, resolve_data, slices_of
from stacklab.tasks.data import TaskData
from stacklab.tasks.k_hop import KHop

TASK = KHop(hops=(1, 2), symbols=4, sequence_length=12)
DATA = TaskData(task=TASK, probe=40)


def test_the_best_guess_is_known_for_all_and_for_each_slice() -> None:
    drawn = TASK.draw(numpy_stream(0, "task", "baselines", TASK.fingerprint), 4096)
    guesses = resolve_data(DATA, cache=Path("unused"), ask=False).guesses
    parts = {f"validation.accuracy.k={k}": max(TASK.baselines(drawn.of_slice(k)).values()) for k in (1, 2)}
    assert guesses == {"validation.accuracy": max(TASK.baselines(drawn).values())} | parts
    assert len(set(guesses.values())) == 3


def test_metrics_are_of_the_slices_that_the_fixed_sets_hold() -> None:
    known = resolve_data(DATA, cache=Path("unused"), ask=False).metrics
    assert set(known) == {f"{name}.accuracy{k}" for name in ("train_probe", "validation") for k in ("", ".k=1", ".k=2")}
    one = DATA.model_copy(update={"probe": 1})
    assert resolve_data(one, cache=Path("unused"), ask=False).metrics == ("train_probe.accuracy", "validation.accuracy")
    drawn = fixed_set(DATA, "validation")
    assert slices_of(DATA, drawn) == {1: "k=1", 2: "k=2"}
    assert (fixed_set(DATA, "validation").tokens_BT == drawn.tokens_BT).all()
    assert not (fixed_set(DATA, "tuning").tokens_BT == drawn.tokens_BT).all()

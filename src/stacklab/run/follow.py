"""A rank that trains along with the first one, which alone writes the run's folder."""

from collections.abc import Callable
from typing import Any

from stacklab.base.errors import CheckpointError
from stacklab.run.environment import prepare_process
from stacklab.run.execute import Execution
from stacklab.run.paths import RunPaths
from stacklab.run.store import read_spec
from stacklab.train.checkpoint import load_checkpoint
from stacklab.train.distributed import World
from stacklab.train.loop import LoopCallbacks, train
from stacklab.train.stop import solved


class _Memory:
    """The loop's Recorder of such a rank: it keeps the evaluations, on which the end of the run may depend."""

    def __init__(self, evals: list[dict[str, Any]]) -> None:
        self.evals = evals

    def record_step(self, row: dict[str, Any]) -> None:
        pass

    def record_evaluation(self, row: dict[str, Any]) -> None:
        self.evals.append(row)

    def record_time(self, step: int, *, seconds: float, tokens: int, loss: float) -> None:
        pass


def follow(paths: RunPaths, world: World, *, threads: int, stop: Callable[[], bool]) -> None:
    """Take part in every step of the run, from the first rank's first step to its last.

    Raises CheckpointError when this rank cannot begin where the first one does.
    """
    spec = read_spec(paths)
    prepare_process(threads, spec.train)
    execution = Execution(spec, paths, stop, world)
    begin = world.receive()
    # Not before: until then another process may have written the checkpoint.
    start = load_checkpoint(paths.checkpoint, execution.trainer, run_id=paths.run_id) if begin["step"] else 0
    if start != begin["step"]:
        raise CheckpointError(f"{paths.checkpoint}: step {start}, but the first rank begins at {begin['step']}")
    memory = _Memory(begin["evals"])
    callbacks = LoopCallbacks(
        get_batch=execution.feed.batch,
        evaluate=world.receive,
        save_checkpoint=lambda step: None,
        should_stop=lambda: world.any(stop()),
        is_solved=lambda: solved(spec.train.stop, memory.evals),
    )
    train(
        execution.trainer,
        callbacks,
        memory,
        evaluate_every=spec.evaluate.every,
        start=start,
        first_loss=begin["first_loss"],
    )

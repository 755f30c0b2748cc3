"""Head scores of an arm's trained models, compared with untrained models and with the construction of the task."""

from collections.abc import Sequence

from stacklab.base.errors import DataError, SpecError
from stacklab.base.streams import numpy_stream
from stacklab.interp.construct.blueprint import Blueprint
from stacklab.interp.construct.compile import compiled
from stacklab.interp.construct.registry import CONSTRUCTIONS, SHARPNESS
from stacklab.interp.head_scores import score_heads, summarise
from stacklab.interp.spec import HeadReport, HeadScore, Role
from stacklab.model.init import build
from stacklab.model.transformer import Transformer
from stacklab.run.paths import RunPaths
from stacklab.run.spec import RunSpec
from stacklab.run.store import Checkpoint, read_spec, weights_of
from stacklab.tasks.batch import TaskBatch
from stacklab.tasks.data import TaskData
from stacklab.tasks.protocol import Split
from stacklab.tasks.spec import AnyTask
from stacklab.train.checkpoint import load_weights, read_weights

UNTRAINED = 10
"""Number of untrained models to compare with."""


def arm_heads(
    runs: Sequence[RunPaths], *, sequences: int = 256, level: float = 0.05, checkpoint: Checkpoint = "last"
) -> HeadReport:
    """The scores of every head of finished runs that differ in the seed alone, on fresh sequences of their task.

    The sequences have symbols held out of training, where the task has such. Raises DataError for runs over text, runs
    without weights, and runs of different models or tasks.
    """
    specs = [read_spec(paths) for paths in runs]
    task = one_task(specs)
    split: Split = "unseen" if "unseen" in task.splits else "train"
    batch = fresh(task, sequences)
    trained = [
        score_heads(trained_model(paths, checkpoint), batch, task.layout, seed=spec.seed)
        for paths, spec in zip(runs, specs, strict=True)
    ]
    untrained = [
        score_heads(build(specs[0].model, seed=seed), batch, task.layout, seed=seed) for seed in range(UNTRAINED)
    ]
    return HeadReport(
        task=task.kind,
        split=split,
        sequences=sequences,
        trained=summarise(trained, level=level),
        untrained=summarise(untrained, level=level),
        constructed=_constructed(task, batch),
        absent=trained[0].absent,
        seeds=tuple(trained),
    )


def fresh(task: AnyTask, sequences: int) -> TaskBatch:
    """Sequences that no training step drew."""
    split: Split = "unseen" if "unseen" in task.splits else "train"
    return task.draw(numpy_stream(0, "task", "heads", task.fingerprint), sequences, split=split)


def one_task(specs: Sequence[RunSpec]) -> AnyTask:
    """The task of runs of one arm. Raises DataError for runs over text, and where tasks or models differ."""
    if not specs:
        raise DataError(
            "no run of the arm has finished, so there are no heads to score; `stacklab status` shows its progress"
        )
    first = specs[0]
    for spec in specs:
        if not isinstance(spec.data, TaskData):
            raise DataError(f"run {spec.run_id}: was trained on text; heads are scored on a synthetic task")
        if (spec.data, spec.model) != (first.data, first.model):
            raise DataError(
                f"runs {first.run_id} and {spec.run_id} do not belong to one arm: their model or task differs"
            )
    assert isinstance(first.data, TaskData)
    if not first.model.num_layers:
        raise DataError(f"run {first.run_id}: has no layers and so no heads")
    return first.data.task


def trained_model(paths: RunPaths, checkpoint: Checkpoint = "last") -> Transformer:
    """The model of a run with its final or its best weights. Raises CheckpointError for damaged weights, DataError for
    a run without them."""
    model, weights = Transformer(read_spec(paths).model), weights_of(paths, checkpoint)
    load_weights(model, read_weights(weights), weights)
    return model


def construction(task: AnyTask) -> Blueprint | None:
    """The hand-built solution of the task; None where there is none."""
    entry = CONSTRUCTIONS.get(task.kind)
    if entry is None:
        return None
    try:
        return entry.build(task, sharpness=SHARPNESS, heads=None)
    except SpecError:
        return None


def _constructed(task: AnyTask, batch: TaskBatch) -> tuple[HeadScore, ...]:
    plan = construction(task)
    if plan is None:
        return ()
    best: dict[Role, HeadScore] = {}
    for score in score_heads(compiled(plan), batch, task.layout, seed=0).scores:
        if score.role not in best or score.value > best[score.role].value:
            best[score.role] = score
    return tuple(best.values())

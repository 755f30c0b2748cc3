"""Tiny runs over a task, as specs and folders."""

from pathlib import Path
from typing import Any

from stacklab.model.spec import ModelSpec
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.resolve_data import task_facts
from stacklab.run.spec import RunSpec
from stacklab.run.store import create_run
from stacklab.tasks.data import TaskData
from stacklab.tasks.question_answering import QuestionAnswering
from stacklab.train.spec import EvaluateSpec, SampleSpec, TrainSpec

DATA = TaskData(task=QuestionAnswering(questions=6, answers=4, pairs=2), probe=40)
SMALL: dict[str, Any] = {
    "d_model": 16,
    "num_heads": 1,
    "num_layers": 2,
    "d_ff": 0,
    "context_length": 8,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
TRAIN: dict[str, Any] = {"steps": 20, "batch_size": 16, "checkpoint_every": 6, "schedule": {"warmup_steps": 2}}


def task_spec(*, seed: int = 1, model: dict[str, Any] | None = None, data: TaskData = DATA, **train: Any) -> RunSpec:
    return RunSpec(
        data=data,
        data_fingerprint=task_facts(data)["fingerprint"],
        model=ModelSpec(vocab_size=data.task.vocab_size, **SMALL | (model or {})),
        train=TrainSpec.model_validate(TRAIN | train),
        evaluate=EvaluateSpec(every=5, problems=0),
        sample=SampleSpec(),
        seed=seed,
    )


def make_runs(root: Path, specs: list[RunSpec]) -> list[RunPaths]:
    runs = [OutPaths(root).run(spec.run_id) for spec in specs]
    for spec, paths in zip(specs, runs, strict=True):
        create_run(spec, paths)
    return runs

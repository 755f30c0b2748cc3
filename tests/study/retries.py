"""A study whose runs end without training, each at an accuracy chosen for its layers and learning rate."""

from pathlib import Path

from stacklab.base.canon import canonical_json
from stacklab.base.files import read_json, write_json, write_text
from stacklab.run.paths import RunPaths
from stacklab.study.execution.run import Todo, run_plan
from stacklab.study.planning.plan import Plan, make_plan
from stacklab.study.results.results import StudyResult
from stacklab.study.spec.load import read_study
from stacklab.study.spec.rates import RetrySpec, TuningSpec
from stacklab.study.spec.request import StudyRequest

METRIC = "validation.accuracy"
RATES = RetrySpec(learning_rates=(5e-4, 1e-3, 2e-3))
"""The study's own is 1e-3."""


def planned(out: Path, *, retry: RetrySpec | None = RATES, tuning: TuningSpec | None = None) -> Plan:
    study = read_study("parity", scale="smoke", overrides=["data.probe=64"])
    return make_plan(study, StudyRequest(scale="smoke", out=out, seeds=(1, 2, 3), retry=retry, tuning=tuning))


def end(folder: Path, curve: list[float]) -> None:
    """The files of a finished run that was evaluated five times. An empty curve: it diverged."""
    paths = RunPaths(folder)
    evals = [{"step": 100 * n, METRIC: value, "validation.loss": 0.7} for n, value in enumerate(curve)]
    write_text(paths.evals, "".join(canonical_json(row) + "\n" for row in evals))
    ended = {"status": "finished" if curve else "diverged", "reason": "", "step": 400, "batches": "b"}
    write_json(paths.result, ended | {"metrics": {METRIC: curve[-1], "validation.loss": 0.7} if curve else {}})


def ran(
    plan: Plan, out: Path, finals: dict[tuple[int, float], float], losses: dict[float, float] | None = None
) -> tuple[StudyResult, list[list[str]]]:
    """The study with runs that stay at one accuracy, by layers and rate (0: diverged), and each stage's labels.

    losses: by rate, of the runs that choose one.
    """
    stages = []

    def start(todo: Todo) -> None:
        stages.append([label for label, _ in todo.values()])
        for folder in todo:
            spec = read_json(RunPaths(folder).spec)
            rate = spec["train"]["optimizer"]["learning_rate"]
            if losses and spec["evaluate"]["split"] == "tuning":
                ended = {"status": "finished", "reason": "", "step": 400, "batches": "b"}
                write_json(RunPaths(folder).result, ended | {"metrics": {"tuning.loss": losses[rate]}})
            else:
                final = finals[spec["model"]["num_layers"], rate]
                end(folder, [0.3, final, final, final, final] if final else [])

    return run_plan(plan, out, {}, start=start), stages

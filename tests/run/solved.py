"""A run whose weights are known."""

from pathlib import Path
from typing import Any

from stacklab.base.files import write_json
from stacklab.interp.construct.compile import compiled, model_spec
from stacklab.interp.construct.registry import blueprint
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.spec import RunSpec
from stacklab.run.store import create_run
from stacklab.train.checkpoint import save_weights


def solved_run(out: Path, *, seed: int, pairs: int = 4, **change: Any) -> RunPaths:
    """A finished run of question answering whose weights are the constructed ones."""
    plan = blueprint("question-answering", {"pairs": pairs})
    spec = RunSpec.model_validate(
        {
            "data": {"task": plan.exercise.dump()},
            "data_fingerprint": "x",
            "model": model_spec(plan).dump(),
            "train": {"steps": 1, "batch_size": 1},
            "evaluate": {},
            "sample": {},
            "seed": seed,
        }
        | change
    )
    paths = OutPaths(out).run(spec.run_id)
    create_run(spec, paths)
    save_weights(paths.weights, compiled(plan), run_id=spec.run_id)
    write_json(paths.result, {"status": "finished", "step": 1, "metrics": {"validation.loss": 0.0}})
    return paths

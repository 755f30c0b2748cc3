"""Trains runs together and reads what they leave."""

from collections.abc import Callable
from pathlib import Path

from tests.run.tasks import make_runs, task_spec

from stacklab.run.execute_replicas import execute_together
from stacklab.run.paths import RunPaths
from stacklab.run.spec import RunSpec

REPRODUCED = ("metrics.jsonl", "evals.jsonl", "result.json", "samples.json", "model.safetensors")
SEEDS = [task_spec(seed=seed) for seed in (1, 2, 3)]


def together(runs: list[RunPaths], *, stop: Callable[[], bool] = lambda: False) -> dict[str, str]:
    """Run id -> how it ended."""
    statuses: dict[str, str] = {}

    def ended(folder: Path, status: str, reason: str) -> None:
        assert folder.name not in statuses, "a run ends once"
        statuses[folder.name] = status

    execute_together([paths.folder for paths in runs], stop=stop, ended=ended)
    return statuses


def contents(runs: list[RunPaths]) -> list[dict[str, bytes]]:
    return [{name: (paths.folder / name).read_bytes() for name in REPRODUCED} for paths in runs]


def trained(root: Path, specs: list[RunSpec]) -> list[dict[str, bytes]]:
    runs = make_runs(root, specs)
    together(runs)
    return contents(runs)

"""A small grid, and cells of it."""

from typing import Any

from stacklab.study.results.cell import Cell, SeedOutcome
from stacklab.study.results.collect import Row
from stacklab.study.spec.grid import GridSpec

AXES: dict[str, Any] = {
    "task": {"easy": {"data.task": {"kind": "parity"}}, "hard": {"data.task": {"kind": "lego"}, "train.steps": 9}},
    "layers": {"path": "model.num_layers", "values": [0, 1, 2]},
    "heads": {"path": "model.num_heads", "values": [1, 4]},
}
GRID = GridSpec(axes=AXES, depth="layers", across="heads", solved=0.9)


def cell(layers: str, *finals: float, baseline: float = 0.25) -> Cell:
    outcomes = tuple(SeedOutcome(seed=seed, final=final, steps=None, trained=1000) for seed, final in enumerate(finals))
    at = {"task": "easy", "layers": layers, "heads": "1"}
    seeds = len(outcomes)
    return Cell(
        arm=f"a{layers}",
        at=at,
        baseline=baseline,
        outcomes=outcomes,
        planned=seeds,
        verdict="partial",
        reason="",
        learning_rate=2e-3,
    )


def rows(*states: str) -> list[Row]:
    return [Row(arm="a", seed=seed, run_id="r", status=state) for seed, state in enumerate(states)]  # type: ignore[arg-type]

"""Rows of a plan's runs with chosen losses."""

from typing import Any

from stacklab.study.planning.plan import Plan
from stacklab.study.results.collect import Row

LOSSES = {"deep": [1.0, 1.2, 1.1, 1.3], "shallow": [2.0, 2.1, 2.2, 2.2], "wide": [1.1, 1.1, 1.2, 1.4]}


def rows(plan: Plan, losses: dict[str, list[float]] = LOSSES, **change: Any) -> list[Row]:
    return [
        Row(
            arm=arm.name,
            seed=seed,
            run_id="r",
            **{"status": "finished", "batches": f"b{seed}", "metrics": {"train_probe.loss": value}} | change,
        )
        for arm in plan.arms
        for seed, value in zip(plan.seeds, losses[arm.name], strict=True)
    ]

"""Predicted against measured cost: a plan is projected, then run."""

import time
from typing import Any

from stacklab.api import run_study
from stacklab.study.planning.device import device_facts
from stacklab.study.planning.plan import Plan
from stacklab.study.planning.project import calibrate, projected_seconds
from stacklab.study.planning.stages import count_runs
from stacklab.study.spec.request import StudyRequest, requested_engine


def run_bench(plan: Plan, request: StudyRequest) -> dict[str, Any]:
    """Project the plan, run it from scratch, and compare. Seconds and bytes; ratios are measured over projected."""
    slots = requested_engine(request, plan.study.base.train).slots(count_runs(plan))
    costs = calibrate(plan, request.out, workers=slots)
    projected = projected_seconds(plan, costs, workers=slots)
    began = time.perf_counter()
    result = run_study(plan, request, device_facts(plan, request.out))
    real = time.perf_counter() - began
    arms = []
    for arm in plan.arms:
        peaks = [row.timing.get("peak_memory_bytes") for row in result.rows if row.arm == arm.name]
        peak_bytes = max((peak for peak in peaks if peak is not None), default=None)
        planned = costs[arm.name].peak_bytes
        ratio = None if peak_bytes is None else peak_bytes / planned
        arms.append({"arm": arm.name, "planned_bytes": planned, "real_bytes": peak_bytes, "ratio": ratio})
    times = {"projected_seconds": projected, "real_seconds": real, "ratio": real / projected}
    return {"workers": slots, **times, "arms": arms}


def render(result: dict[str, Any]) -> str:
    """The ratios as text; 1 is an exact prediction."""
    lines = [
        f"time: projected {result['projected_seconds']:.0f} s, real {result['real_seconds']:.0f} s on "
        f"{result['workers']} workers: {result['ratio']:.2f} times the plan"
    ]
    for arm in result["arms"]:
        outcome = "no run finished" if arm["ratio"] is None else f"{arm['ratio']:.2f} times the plan"
        lines.append(f"peak memory of {arm['arm']}: {outcome}")
    return "\n".join(lines)

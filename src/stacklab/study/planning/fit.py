"""Whether the planned runs fit into memory and onto the disk, and the nearest settings that do."""

import shutil
from pathlib import Path

from stacklab.base.errors import SpecError
from stacklab.base.units import size
from stacklab.study.planning.plan import Plan
from stacklab.study.planning.stages import MAIN, STAGES
from stacklab.study.planning.suggest import nearest_settings

PROCESS_BYTES = 400 * 2**20
"""Memory of a process besides training: Python, torch, evaluations."""


def disk_bytes(plan: Plan, *, workers: int) -> int:
    """Bytes of the final fp32 weights of all runs, and of the checkpoints of those that train at the same time."""
    return _rates(plan) + len(plan.seeds) * _weights(plan) + workers * _checkpoint(plan)


def free_disk(out: Path) -> int:
    """Free bytes on the disk of `out`, which need not exist yet."""
    return shutil.disk_usage(next(path for path in (out, *out.absolute().parents) if path.exists())).free


def check_fits(plan: Plan, *, workers: int, available: int, free: int) -> None:
    """Raises SpecError when the largest run, or `workers` runs together, exceed `available` bytes of memory, or the
    study `free` bytes of disk; it names the nearest setting that fits."""
    if (needed := disk_bytes(plan, workers=workers)) > free:
        advice = _disk_advice(plan, workers, free)
        raise SpecError(f"the study needs {size(needed)} of disk, {size(free)} are free; {advice}")
    largest = max(plan.arms, key=lambda arm: arm.memory_bytes["total"])
    alone = largest.memory_bytes["total"] + PROCESS_BYTES
    if alone > available:
        advice = nearest_settings(plan, limit=available - PROCESS_BYTES)
        raise SpecError(f"arm {largest.name} needs about {size(alone)}, {size(available)} are free; {advice}")
    if alone * workers > available:
        raise SpecError(
            f"{workers} runs of arm {largest.name} at once need about {size(alone * workers)}, {size(available)} are "
            f"free; --workers {available // alone} fits"
        )


def _disk_advice(plan: Plan, workers: int, free: int) -> str:
    """Suggests fewer runs at once, which change no result, before fewer seeds."""
    free -= _rates(plan)
    slots = (free - len(plan.seeds) * _weights(plan)) // _checkpoint(plan)
    if slots >= 1:
        return f"--workers {min(slots, workers)} fits"
    seeds = (free - _checkpoint(plan)) // _weights(plan)
    if seeds >= 1:
        return f"--seeds {seeds} --workers 1 fits; or choose another --out"
    return f"one seed needs {size(_weights(plan) + _checkpoint(plan))}; choose another --out"


def _rates(plan: Plan) -> int:
    """Bytes of the final weights of tuning runs, and of retries if every stack failed."""
    runs = [run for stage in STAGES if stage is not MAIN for run in stage.most(plan).runs()]
    return sum(4 * run.arm.total_parameters for run in runs)


def _weights(plan: Plan) -> int:
    """Bytes of the final weights of one seed of every arm."""
    return sum(4 * arm.total_parameters for arm in MAIN.most(plan).arms)


def _checkpoint(plan: Plan) -> int:
    """Bytes of the largest checkpoint."""
    return max(arm.config.train.optimizer.checkpoint_bytes(arm.total_parameters) for arm in plan.arms)

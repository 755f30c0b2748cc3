"""Whether the planned runs fit into this machine's memory and disk, and what would."""

import shutil
from pathlib import Path

from stacklab.base.errors import SpecError
from stacklab.base.units import size
from stacklab.model.count import estimate_memory
from stacklab.study.plan import ArmPlan, Plan
from stacklab.study.tuning import trials

PROCESS_BYTES = 400 * 2**20
"""What Python and torch hold before the model is built."""


def disk_bytes(plan: Plan, *, workers: int) -> int:
    """Final fp32 weights of every run, and the checkpoints (weights and both moments) of those that train at once."""
    grid = [trial.arm for trial in trials(plan)]
    final = sum(4 * arm.total_parameters for arm in (*grid, *(arm for arm, _, _ in plan.runs())))
    return final + workers * 12 * max(arm.total_parameters for arm in plan.arms)


def free_disk(out: Path) -> int:
    """Bytes free where `out` is or will be."""
    return shutil.disk_usage(next(path for path in (out, *out.absolute().parents) if path.exists())).free


def check_fits(plan: Plan, *, workers: int, available: int, free: int) -> None:
    """Raises SpecError when the largest run, or `workers` runs together, exceed `available` bytes of memory, or the
    study `free` bytes of disk."""
    if (needed := disk_bytes(plan, workers=workers)) > free:
        raise SpecError(
            f"the study needs {size(needed)} of disk, {size(free)} are free; give another --out, fewer --seeds or "
            "fewer --workers"
        )
    largest = max(plan.arms, key=lambda arm: arm.memory_bytes["total"])
    alone = largest.memory_bytes["total"] + PROCESS_BYTES
    if alone > available:
        raise SpecError(
            f"arm {largest.name} needs about {size(alone)}, {size(available)} are free; {_advice(largest, available)}"
        )
    if alone * workers > available:
        raise SpecError(
            f"{workers} runs of arm {largest.name} at once need about {size(alone * workers)}, {size(available)} are "
            f"free; --workers {available // alone} fits"
        )


def _advice(arm: ArmPlan, available: int) -> str:
    train = arm.config.train
    for part in range(train.micro_batch - 1, 0, -1):
        if train.batch_size % part == 0 and _needs(arm, part) <= available:
            return f"train.micro_batch_size={part} fits (same batch, accumulated)"
    return "no micro-batch fits; reduce model.d_model, model.num_layers or data.block_size"


def _needs(arm: ArmPlan, micro_batch: int) -> int:
    memory = estimate_memory(
        arm.config.model,
        micro_batch=micro_batch,
        context=arm.config.data.block_size,
        loss_chunk_rows=arm.config.train.loss_chunk_rows,
    )
    return memory.total + PROCESS_BYTES

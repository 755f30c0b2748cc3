"""Whether the planned runs fit into memory and onto the disk, and the nearest settings that do."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from stacklab.base.errors import SpecError
from stacklab.base.search import smallest
from stacklab.base.units import size
from stacklab.model.count import flops_per_token
from stacklab.run.resolve_data import ResolvedData
from stacklab.study.planning.arms import resolve_arms
from stacklab.study.planning.match import Match, TimeSolver, solve
from stacklab.study.planning.memory import memory_of
from stacklab.study.planning.plan import ArmPlan, Plan
from stacklab.study.planning.stages import MAIN, STAGES
from stacklab.study.spec.load import assign
from stacklab.study.spec.study import BaseSpec, MatchSpec, StudySpec
from stacklab.tasks.data import TaskData

PROCESS_BYTES = 400 * 2**20
"""Memory of a process besides training: Python, torch, evaluations; on a GPU, CUDA itself takes about as much."""


def disk_bytes(plan: Plan, *, workers: int) -> int:
    """Bytes of the fp32 weights that all runs keep, and of the checkpoints of those that train at the same time."""
    return _rates(plan) + len(plan.seeds) * _weights(plan) + workers * _checkpoint(plan)


def free_disk(out: Path) -> int:
    """Free bytes on the disk of `out`, which need not exist yet."""
    return shutil.disk_usage(next(path for path in (out, *out.absolute().parents) if path.exists())).free


def check_fits(plan: Plan, *, workers: int, available: int, free: int, per_card: int | None = None) -> None:
    """Raises SpecError when the largest run, or `workers` runs together, exceed `available` bytes of memory, or the
    study `free` bytes of disk; it names the nearest setting that fits.

    per_card: runs at the same time on a GPU, of which `available` bytes are free; None on a CPU.
    """
    together, option = (workers, "--workers") if per_card is None else (per_card, "--runs-per-gpu")
    if (needed := disk_bytes(plan, workers=workers)) > free:
        advice = _disk_advice(plan, workers, free)
        raise SpecError(f"the study needs {size(needed)} of disk, {size(free)} are free; {advice}")
    largest = max(plan.arms, key=lambda arm: arm.memory_bytes["total"])
    alone = largest.memory_bytes["total"] + PROCESS_BYTES
    if alone > available:
        advice = nearest_settings(plan, limit=available - PROCESS_BYTES)
        raise SpecError(f"arm {largest.name} needs about {size(alone)}, {size(available)} are free; {advice}")
    if alone * together > available:
        raise SpecError(
            f"{together} runs of arm {largest.name} at once need about {size(alone * together)}, {size(available)} are "
            f"free; {option} {available // alone} fits"
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
    return sum(_kept(run.arm) for run in runs)


def _weights(plan: Plan) -> int:
    """Bytes of the final weights of one seed of every arm."""
    return sum(_kept(arm) for arm in MAIN.most(plan).arms)


def _kept(arm: ArmPlan) -> int:
    """Bytes of the weights that a finished run keeps."""
    return 4 * arm.total_parameters * (2 if arm.config.train.keep_best else 1)


def _checkpoint(plan: Plan) -> int:
    """Bytes of the largest checkpoint; while a run trains, it may hold best weights of two evaluations."""
    return max(
        arm.config.train.optimizer.checkpoint_bytes(arm.total_parameters) + _kept(arm) - 4 * arm.total_parameters
        for arm in plan.arms
    )


MICRO_BATCH = "train.micro_batch_size"


def nearest_settings(plan: Plan, *, limit: int) -> str:
    """Settings with which every arm trains within `limit` bytes: a smaller micro-batch, which changes no result, else,
    with micro-batches of 1, the least change of width, depth or block size, each alone."""
    train, cards = plan.study.base.train, plan.gpus_per_run
    for part in range(train.micro_batch_on(cards) - 1, 0, -1):
        if train.batch_size // cards % part == 0 and _fits(plan, {MICRO_BATCH: part}, limit):
            return f"{MICRO_BATCH}={part} fits (same batch, accumulated)"
    largest = {path: _largest(plan, path, grain, limit) for path, grain in _knobs(plan.study.base).items()}
    named = [f"{path}={value}" for path, value in largest.items() if value is not None]
    if not named:
        return "no micro-batch, d_model, num_layers or block_size alone fits; free memory or reduce several of them"
    return f"with {MICRO_BATCH}=1, {' or '.join(named)} fits"


def _knobs(base: BaseSpec) -> dict[str, int]:
    """Settings that save memory, with their smallest step."""
    return {"model.d_model": base.model.width_step, "model.num_layers": 1, "data.block_size": 1}


def _largest(plan: Plan, path: str, grain: int, limit: int) -> int | None:
    """The largest value below the present one that fits, in steps of `grain`."""
    section, field = path.split(".")
    present: int = getattr(getattr(plan.study.base, section), field)

    def lowered(steps: int) -> int:
        return max(grain, present - steps * grain)

    steps = smallest(lambda n: _fits(plan, {path: lowered(n), MICRO_BATCH: 1}, limit), limit=2 * present // grain)
    return None if steps is None or lowered(steps) >= present else lowered(steps)


def _fits(plan: Plan, changes: Mapping[str, int], limit: int) -> bool:
    """Whether every arm takes at most `limit` bytes with the changed base, with controls solved again."""
    tree = plan.study.dump()
    for path, value in changes.items():
        assign(tree["base"], path, value, where="")
    names = tuple(arm.name for arm in plan.arms)
    try:
        study = StudySpec.model_validate(tree)
        arms = resolve_arms(study, names=names, ready=lambda config: _counted(plan, config), by_time=_time_solver(plan))
    except (SpecError, ValueError):
        return False
    return all(memory_of(arm.config, cards=plan.gpus_per_run).total <= limit for arm in arms.values())


def _counted(plan: Plan, config: BaseSpec) -> ResolvedData:
    """The data, reduced to what model sizes depend on."""
    task = config.data.task if isinstance(config.data, TaskData) else None
    return ResolvedData("", plan.data["vocab_size"] if task is None else task.vocab_size, {}, ())


def _time_solver(plan: Plan) -> TimeSolver:
    """Replaces measured step times, which are unknown for a setting that was never run: the control keeps the ratio of
    its FLOPs to the target's in the plan."""

    def solve_by_flops(match: MatchSpec, control: BaseSpec, target: BaseSpec) -> Match:
        matches = [arm.match for arm in plan.arms if arm.match and plan.study.arms[arm.name].match == match]
        ratio = 1 + max(solved.others.get("flops_per_token", 0.0) for solved in matches)
        goal = round(ratio * flops_per_token(target.model, context=target.data.block_size))
        counted = match.model_copy(update={"quantity": "flops_per_token", "tolerance": 1.0})
        return solve(counted, control.model, goal, context=control.data.block_size)

    return solve_by_flops

"""What the runs of a plan train on: checked before anything runs, so that a wrong setting is refused in one line."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from stacklab.base.errors import DeviceError
from stacklab.base.hardware import peak_matrix_rate
from stacklab.run.paths import OutPaths
from stacklab.run.timing.cost import DeviceFacts
from stacklab.study.engines.machine import gpus
from stacklab.study.planning.fit import check_fits, free_disk
from stacklab.study.planning.measure import measured
from stacklab.study.planning.plan import ArmPlan, Plan, PlannedRun
from stacklab.study.spec.request import StudyRequest
from stacklab.train.checkpoint_metadata import check_precision, read_metadata
from stacklab.train.spec import TrainSpec

MEASUREMENT = "device"
SETTINGS = ("device", "precision", "residual", "tf32", "compile")
"""Settings of training that a device may not have."""


def device_facts(plan: Plan, out: Path) -> dict[str, DeviceFacts]:
    """Arm -> what its runs train on; empty where that is the CPU of a machine without a GPU, by default.

    Raises DeviceError for a device that is not there, or cannot do what an arm requests.
    """
    trains = [TrainSpec(**{name: getattr(arm.config.train, name) for name in SETTINGS}) for arm in plan.arms]
    if not gpus() and all(train == TrainSpec() for train in trains):
        return {}
    question = json.dumps([train.dump() for train in trains])
    answer = json.loads(measured(MEASUREMENT, question, out, threads=1, mend="stacklab doctor shows the devices"))
    facts = {arm.name: DeviceFacts.model_validate(row) for arm, row in zip(plan.arms, answer, strict=True)}
    for name, fact in facts.items():
        if fact.refused:
            raise DeviceError(f"arm {name}: {fact.refused}")
    return facts


def check_begun(runs: Iterable[PlannedRun], facts: Mapping[str, DeviceFacts], out: Path) -> None:
    """Raises CheckpointError for a run that began in another number format, as on another device."""
    for arm, _, spec in runs:
        checkpoint = OutPaths(out).run(spec.run_id).checkpoint
        if checkpoint.exists():
            precision = facts[arm.origin or arm.name].precision if facts else "fp32"
            check_precision(checkpoint, read_metadata(checkpoint), precision)


def utilisation(arm: ArmPlan, facts: DeviceFacts, *, step_seconds: float, cards: int) -> float | None:
    """Model FLOPs utilisation: the FLOPs of a step over those that the stated peak rate of its cards allows in its
    time.

    None on a CPU, in fp32, and for a card whose rate is not known (Chowdhery et al. 2022, appendix B).
    """
    rate = peak_matrix_rate(facts.card) if facts.precision != "fp32" else None
    if rate is None:
        return None
    tokens = arm.config.train.batch_size * arm.config.data.block_size
    return arm.flops_per_token * tokens / step_seconds / (rate * cards)


def check_room(plan: Plan, request: StudyRequest, facts: Mapping[str, DeviceFacts], *, workers: int) -> None:
    """Raises SpecError when the plan does not fit into the memory of its device or onto the disk; see `check_fits`."""
    free, on_cards = free_disk(request.out), [one.free_bytes for one in facts.values() if one.card]
    if on_cards:
        check_fits(plan, workers=workers, available=min(on_cards), free=free, per_card=request.runs_per_gpu)
    else:
        check_fits(plan, workers=workers, available=psutil.virtual_memory().available, free=free)

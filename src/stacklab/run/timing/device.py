"""Asks torch whether runs can be trained here as requested. Nothing is written."""

from pathlib import Path
from typing import Any

import torch

from stacklab.base.errors import DeviceError
from stacklab.run.timing.cost import DeviceFacts
from stacklab.train.device import choose, pick_device
from stacklab.train.spec import TrainSpec


def answer(question: Any, out: Path) -> list[dict[str, Any]]:
    """For each TrainSpec as plain values its DeviceFacts, or why it is refused."""
    return [_facts(TrainSpec.model_validate(row)).dump() for row in question]


def _facts(spec: TrainSpec) -> DeviceFacts:
    try:
        choice = choose(spec, pick_device(spec.device))
    except DeviceError as error:
        return DeviceFacts(refused=str(error))
    facts = DeviceFacts(device=choice.device.type, precision=choice.precision, compiled=choice.compiled)
    if choice.device.type != "cuda":
        return facts
    free, _ = torch.cuda.mem_get_info()
    return facts.model_copy(update={"card": torch.cuda.get_device_name(), "free_bytes": free})

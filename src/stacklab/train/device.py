"""The device of a run, what it computes with, and the refusal of what it cannot do."""

from typing import Literal, NamedTuple

import torch

from stacklab.base.errors import DeviceError
from stacklab.base.hardware import triton_lacks
from stacklab.model.ops.compilation import can_compile
from stacklab.train.card import has_code
from stacklab.train.spec import Compile, Device, Precision, TrainSpec

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Number formats of products by name; fp32 is that of the weights."""


class DeviceChoice(NamedTuple):
    """A device with the settings that are resolved for it. precision: fp32, bf16 or fp16. compiled: the blocks are."""

    device: torch.device
    precision: Precision
    compiled: bool

    @property
    def product_dtype(self) -> torch.dtype | None:
        """The format of products; None is that of the weights, fp32."""
        return DTYPES.get(self.precision)


def choose(spec: TrainSpec, device: torch.device) -> DeviceChoice:
    """The settings of a run on `device`. Raises DeviceError for what the device cannot do."""
    if spec.tf32 and device.type != "cuda":
        raise DeviceError(f"train.tf32: {device.type} has no TF32; it needs train.device = cuda")
    choice = DeviceChoice(device, pick_precision(spec.precision, device), compiles(spec.compile, device))
    if spec.residual == "products" and choice.product_dtype is None:
        raise DeviceError("train.residual = products: products are in fp32 here, as the residual stream is anyway")
    return choice


def pick_device(name: Device) -> torch.device:
    """The device called `name`; `auto` is a GPU of CUDA where there is one, else the CPU.

    Raises DeviceError for one that is not there, and for a GPU that this build of torch has no code for.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    chosen = ("cuda" if available["cuda"] else "cpu") if name == "auto" else name
    if not available[chosen]:
        there = ", ".join(known for known, is_there in available.items() if is_there)
        raise DeviceError(f"train.device = {name}: there is no such device here; there is {there}")
    if chosen == "cuda" and not has_code(torch.cuda.get_device_capability()):
        raise DeviceError(
            f"train.device = {name}: this build of torch has no code for {torch.cuda.get_device_name()}; use "
            "train.device=cpu, or another build of torch"
        )
    return torch.device(chosen)


def pick_precision(precision: Precision, device: torch.device) -> Precision:
    """The precision to use. `auto`: fp32 on CPUs, since bf16 is slower on those without matrix units, and on mps.

    Raises DeviceError for a format that the device does not have.
    """
    if precision == "auto":
        return ("bf16" if has_bf16() else "fp16") if device.type == "cuda" else "fp32"
    if precision == "bf16" and device.type == "cuda" and not has_bf16():
        raise DeviceError(f"train.precision = bf16: {torch.cuda.get_device_name()} has no bf16; use fp16 or auto")
    if precision != "fp32" and device.type == "mps":
        raise DeviceError(f"train.precision = {precision}: on mps runs train in fp32 only")
    return precision


def has_bf16() -> bool:
    """Whether the GPU computes in bf16 without emulation."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def compiles(setting: Compile, device: torch.device) -> bool:
    """Whether blocks are compiled. Raises DeviceError where they are requested and cannot be."""
    if setting == "off" or (setting == "auto" and device.type != "cuda"):
        return False
    if device.type == "mps":
        raise DeviceError("train.compile = blocks: not supported on mps; use auto or off")
    if setting == "auto":
        return can_compile(device)
    if lacks := triton_lacks() if device.type == "cuda" else "":
        raise DeviceError(f"train.compile = blocks: needs {lacks}; use auto or off")
    return True


Masks = Literal["seed", "generator", "generator of each run"]


def masks_from(choice: DeviceChoice, *, stacked: bool = False) -> Masks:
    """Where dropout masks come from; see model/ops/dropout, and model/stacked/dropout for a stack of runs."""
    if stacked:
        return "generator of each run"
    return "seed" if choice.device.type == "cpu" and not choice.compiled else "generator"


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the CPU on the device, without waiting for it."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)

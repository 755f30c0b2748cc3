"""Whether operations compile kernels of their own: on cards from sm80 on, where Triton can, unless a run forbids it."""

import functools

import torch

from stacklab.base.hardware import AMPERE, triton_lacks

_allowed = True


def allow(allowed: bool) -> None:
    """Whether operations of this process may compile from now on."""
    global _allowed
    _allowed = allowed


def compiles(device: torch.device) -> bool:
    """Whether operations compile on `device` now."""
    return _allowed and device.type == "cuda" and can_compile(device)


@functools.cache
def can_compile(device: torch.device) -> bool:
    """Whether compiled kernels work on a CUDA card. On older ones they may exceed the shared memory."""
    return not triton_lacks() and torch.cuda.get_device_capability(device) >= AMPERE

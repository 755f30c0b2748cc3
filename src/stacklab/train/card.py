"""What a CUDA card can do: the one place for what depends on its compute capability and the release of torch."""

from typing import NamedTuple

import torch

from stacklab.base.hardware import AMPERE, triton_lacks

MM_OUT_DTYPE = (2, 8)
"""The first release of torch whose `mm` and `bmm` take `out_dtype` on CUDA: products of bf16 with fp32 sums as fp32."""


class Card(NamedTuple):
    """A card as far as the choice of kernels depends on it.

    capability: the compute capability, (7, 5) for sm75. memory_bytes: all of it, in use or not. triton_lacks: what is
    missing on this machine for Triton to compile; empty if nothing is. built_for: whether this build of torch holds
    code for the card.
    """

    name: str
    capability: tuple[int, int]
    memory_bytes: int
    triton_lacks: str
    built_for: bool

    @property
    def sm(self) -> str:
        return "sm{}{}".format(*self.capability)

    @property
    def bf16(self) -> bool:
        return self.capability >= AMPERE

    @property
    def compiles(self) -> bool:
        """Whether compiled blocks and FlexAttention are used."""
        return not self.triton_lacks and self.capability >= AMPERE


class Kernel(NamedTuple):
    """Whether a kernel is used; `why` says for what, or what is missing and what is used instead."""

    name: str
    used: bool
    why: str


def describe_card(index: int) -> Card:
    """The card that torch calls `cuda:{index}`."""
    facts = torch.cuda.get_device_properties(index)
    capability = (facts.major, facts.minor)
    return Card(
        name=facts.name,
        capability=capability,
        memory_bytes=facts.total_memory,
        triton_lacks=triton_lacks(),
        built_for=has_code(capability),
    )


def has_code(capability: tuple[int, int]) -> bool:
    """Whether this build of torch holds code for a card; one for AMD's cards is not looked into."""
    return torch.version.hip is not None or built_for(capability, torch.cuda.get_arch_list())


def built_for(capability: tuple[int, int], architectures: list[str]) -> bool:
    """Whether a build for `architectures` runs on a card.

    `sm_80` runs on cards of the same major capability from 8.0 on; `compute_80` is compiled by the driver for any card
    from 8.0 on (CUDA C++ Programming Guide, "Binary Compatibility" and "PTX Compatibility"). Variants such as `sm_90a`
    hold single kernels and do not count.

    >>> built_for((8, 9), ["sm_80", "sm_90"]), built_for((6, 0), ["sm_75", "sm_80"]), built_for((12, 0), ["compute_90"])
    (True, False, True)
    """
    for name in architectures:
        kind, _, number = name.partition("_")
        if not number.isdecimal():
            continue
        of = (int(number[:-1]), int(number[-1]))
        if (kind == "compute" or of[0] == capability[0]) and of <= capability:
            return True
    return False


def kernels(card: Card, release: tuple[int, int]) -> list[Kernel]:
    """The kernels that training uses on `card` with `release` of torch, (2, 8) for torch 2.8.1, and why not others.

    Source of the bounds: torch's own checks (`sdp_utils.cpp`, `torch.cuda.is_bf16_supported`, `mm` with `out_dtype`).
    """
    if not card.built_for:
        return [Kernel("all", False, f"this build of torch has no code for {card.sm}; another build of torch may have")]
    ampere = f"needs sm80; this card is {card.sm}"
    compiled = f"needs {card.triton_lacks}" if card.bf16 else ampere
    older = "needs torch {}.{}; this is {}.{}".format(*MM_OUT_DTYPE, *release)
    return [
        _kernel("bf16", card.bf16, "instead of fp16 with loss scaling", ampere, "fp16 with loss scaling"),
        _kernel("flash attention", card.bf16, "in bf16 and fp16, without a mask", ampere, "memory-efficient attention"),
        _kernel("compiled blocks", card.compiles, "one compilation per shape", compiled, "eager blocks"),
        _kernel(
            "FlexAttention",
            card.compiles,
            "for windows and patterns of long sequences",
            compiled,
            "attention with a mask",
        ),
        _kernel(
            "fp32 results of half-precision products",
            release >= MM_OUT_DTYPE,
            "in head and loss",
            older,
            "products are rounded, then summed in fp32",
        ),
    ]


def _kernel(name: str, used: bool, purpose: str, missing: str, instead: str) -> Kernel:
    return Kernel(name, used, purpose if used else f"{missing}. Instead: {instead}")


def torch_release() -> tuple[int, int]:
    """The release of the torch that runs: (2, 8) for torch 2.8.1+cu128."""
    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)

"""Settings that a device does not have are refused by name. Cards are pretended: there is none here."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from stacklab.base.errors import DeviceError
from stacklab.model.ops import compilation
from stacklab.model.ops.compilation import can_compile
from stacklab.train.device import choose, compiles, masks_from, pick_device, pick_precision
from stacklab.train.spec import TrainSpec

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")


@pytest.fixture
def without_triton(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Pretends what Triton lacks."""

    def pretend(lacks: str) -> None:
        can_compile.cache_clear()
        for module in ("stacklab.train.device", "stacklab.model.ops.compilation"):
            monkeypatch.setattr(f"{module}.triton_lacks", lambda: lacks)

    yield pretend
    can_compile.cache_clear()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, without_triton: Any) -> Any:
    """Pretends a card of that compute capability."""

    def pretend(capability: tuple[int, int]) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Test card")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_90"])
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: capability >= (8, 0))
        without_triton("")

    return pretend


def test_auto_takes_a_card_where_there_is_one(card: Any) -> None:
    assert pick_device("cpu") == CPU
    card((9, 0))
    assert pick_device("auto") == CUDA and pick_device("cpu") == CPU


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="this machine has one")
@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(name: Any) -> None:
    with pytest.raises(DeviceError, match=f"train.device = {name}: there is no such device here; there is cpu"):
        pick_device(name)


@pytest.mark.parametrize(("capability", "precision", "compiled"), [((7, 5), "fp16", False), ((9, 0), "bf16", True)])
def test_auto_follows_the_card(card: Any, capability: tuple[int, int], precision: str, compiled: bool) -> None:
    card(capability)
    choice = choose(TrainSpec(), CUDA)
    assert (choice.precision, choice.compiled) == (precision, compiled)
    assert masks_from(choice) == "generator"
    assert choose(TrainSpec(compile="blocks"), CUDA).compiled, "requested, it is compiled on older cards too"


def test_a_cpu_trains_in_fp32_uncompiled_unless_requested() -> None:
    assert choose(TrainSpec(), CPU) == (CPU, "fp32", False)
    assert masks_from(choose(TrainSpec(), CPU)) == "seed"
    compiled = choose(TrainSpec(compile="blocks", precision="bf16"), CPU)
    assert compiled == (CPU, "bf16", True) and masks_from(compiled) == "generator"


@pytest.mark.parametrize(
    ("change", "device", "message"),
    [
        ({"precision": "bf16"}, CUDA, "Test card has no bf16; use fp16 or auto"),
        ({"precision": "bf16"}, MPS, "on mps runs train in fp32 only"),
        ({"compile": "blocks"}, MPS, "not supported on mps"),
        ({"tf32": True}, CPU, "cpu has no TF32"),
        ({"residual": "products"}, CPU, "products are in fp32"),
    ],
)
def test_what_a_device_cannot_do_is_refused(card: Any, change: Any, device: torch.device, message: str) -> None:
    card((7, 5))
    with pytest.raises(DeviceError, match=message):
        choose(TrainSpec(**change), device)


def test_a_card_without_code_in_this_build_of_torch_is_refused(card: Any) -> None:
    card((6, 1))
    for name in ("auto", "cuda"):
        with pytest.raises(DeviceError, match=f"train.device = {name}: this build of torch has no code for Test card"):
            pick_device(name)
    assert pick_device("cpu") == CPU


def test_operations_compile_where_blocks_do_unless_they_must_not(card: Any) -> None:
    for capability, compiled in (((7, 5), False), ((9, 0), True)):
        card(capability)
        assert compilation.compiles(CUDA) == compiles("auto", CUDA) == compiled
    assert not compilation.compiles(CPU)
    compilation.allow(False)
    assert not compilation.compiles(CUDA)
    compilation.allow(True)
    assert compilation.compiles(CUDA)


def test_compiling_needs_triton_on_a_card(card: Any, without_triton: Any) -> None:
    card((9, 0))
    without_triton("Triton, which is not installed")
    assert not compiles("auto", CUDA)
    with pytest.raises(DeviceError, match="needs Triton"):
        compiles("blocks", CUDA)
    assert pick_precision("auto", CUDA) == "bf16"

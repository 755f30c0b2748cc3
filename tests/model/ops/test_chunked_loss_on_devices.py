"""What the chunked loss asks of a device: products in fp32, one compiled kernel, memory, and no waiting."""

import weakref
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tests.model.ops.full_logits import CARD, CPU, LOW, assert_close, chunked, draw, error, reference
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stacklab.model.ops import chunked_loss, compilation
from stacklab.model.ops import linear_cross_entropy as door
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX, linear_cross_entropy, linear_cross_entropy_rows
from stacklab.model.ops.piece_size import LOSS_BYTES, loss_bytes, loss_rows


class NoWaiting(TorchDispatchMode):
    """Refuses what makes the processor wait for the device: reading a number, or a size that depends on data."""

    WAIT = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "bincount", "unique")

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in self.WAIT, name
        if name.startswith("index"):
            masks = [leaf for leaf in tree_leaves(args[1]) if isinstance(leaf, Tensor) and leaf.dtype == torch.bool]
            assert not masks, f"{name} with a mask"
        return func(*args, **(kwargs or {}))


def loss_and_gradients(dtype: torch.dtype, device: torch.device) -> None:
    x_ND, weight_VD, target_N = draw(64, 16, 100, dtype, device)
    target_N[:4] = IGNORE_INDEX
    with NoWaiting():
        (
            linear_cross_entropy(x_ND.requires_grad_(), weight_VD.requires_grad_(), target_N, dtype=dtype) * 0.3
        ).backward()
        linear_cross_entropy_rows(x_ND, weight_VD, target_N, dtype=dtype)


@pytest.mark.parametrize("dtype", LOW)
def test_nothing_waits_for_the_device(dtype: torch.dtype) -> None:
    loss_and_gradients(dtype, CPU)


def test_the_path_for_cpus_does_wait() -> None:
    """So the test above can fail."""
    with pytest.raises(AssertionError, match=r"_local_scalar_dense|equal|is_nonzero"):
        loss_and_gradients(torch.float32, CPU)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("deterministic", [False, True])
def test_a_card_is_never_waited_for(dtype: torch.dtype, deterministic: bool) -> None:
    """Strict deterministic mode takes other kernels, for indexing among others."""
    x_ND, weight_VD, target_N = draw(64, 16, 100, dtype, CARD)
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(deterministic)
    try:
        for mode in ("default", "error"):  # once to load and compile kernels
            torch.cuda.set_sync_debug_mode(mode)
            chunked(x_ND, weight_VD, target_N, dtype)
            linear_cross_entropy_rows(x_ND, weight_VD, target_N, dtype=dtype)
    finally:
        torch.cuda.set_sync_debug_mode("default")
        torch.use_deterministic_algorithms(was_deterministic)


@pytest.mark.parametrize("dtype", LOW)
def test_products_in_fp32_leave_fewer_errors(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch of torch 2.8 and later on cards; here `mm` computes what it computes there."""
    inputs = draw(512, 16, 100, dtype)
    expected, narrow = reference(*inputs), chunked(*inputs, dtype)
    original = torch.mm

    def wide_mm(a: Tensor, b: Tensor, *, out_dtype: torch.dtype) -> Tensor:
        assert a.dtype == b.dtype == dtype
        return original(a.to(out_dtype), b.to(out_dtype))

    monkeypatch.setattr(chunked_loss, "has_wide_products", lambda _: True)
    monkeypatch.setattr(torch, "mm", wide_mm)
    wide = chunked(*inputs, dtype)
    assert_close(wide, expected, dtype, eps=0.5)
    for one, other, exact in zip(wide, narrow, expected, strict=True):
        assert error(one, exact) < error(other, exact)


def test_a_cpu_has_neither_products_in_fp32_nor_a_compiled_pass() -> None:
    assert not chunked_loss.has_wide_products(CPU)
    assert not compilation.compiles(CPU)


@pytest.mark.gpu
def test_a_card_uses_what_its_torch_has() -> None:
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    assert chunked_loss.has_wide_products(CARD) == (version >= (2, 8) and torch.version.hip is None)
    assert compilation.compiles(CARD) <= (torch.cuda.get_device_capability() >= (8, 0))


def test_one_kernel_serves_every_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel per shape would make the digits of a chunk depend on the chunks that came before it."""
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    traced = torch.compile(chunked_loss.softmax_pass, fullgraph=True, backend=backend)
    monkeypatch.setattr(compilation, "compiles", lambda _: True)
    monkeypatch.setattr(chunked_loss, "compiled", lambda _: traced)
    for num_rows, rows in ((64, 24), (48, 48), (50, 30)):
        chunked(*draw(num_rows, 16, 100, torch.bfloat16), torch.bfloat16, rows=rows)
    assert len(graphs) == 1
    chunked(*draw(64, 16, 300, torch.bfloat16), torch.bfloat16)
    assert len(graphs) == 2


@pytest.mark.parametrize(("num_rows", "expected"), [(8192, 4096), (100, 100), (9001, 3001), (0, 1)])
def test_a_card_takes_few_equal_chunks(num_rows: int, expected: int) -> None:
    rows = loss_rows(num_rows, chunk_rows=512, vocab=151_665, device_type="cuda")
    assert rows == expected
    assert rows * 151_665 * 4 <= LOSS_BYTES


def test_the_setting_is_a_lower_limit_on_a_card_and_the_number_on_a_cpu() -> None:
    assert loss_rows(8192, chunk_rows=8192, vocab=151_665, device_type="cuda") == 8192
    assert loss_rows(8192, chunk_rows=512, vocab=151_665, device_type="cpu") == 512


def test_the_chunks_of_a_card_are_those_of_loss_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    original = chunked_loss.softmax_pass
    monkeypatch.setattr(
        chunked_loss, "softmax_pass", lambda logit_RP, *rest: sizes.append(len(logit_RP)) or original(logit_RP, *rest)
    )
    monkeypatch.setattr(door, "loss_rows", lambda num_rows, **_: num_rows // 2)
    chunked(*draw(64, 16, 100, torch.bfloat16), torch.bfloat16)
    assert sizes == [32, 32]


class LiveBytes(TorchDispatchMode):
    """Peak bytes of the tensors made under it."""

    def __init__(self, *inputs: Tensor) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self.known = {tensor.untyped_storage()._cdata for tensor in inputs}

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in self.known:
                storage = leaf.untyped_storage()
                self.known.add(storage._cdata)
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self.forget, storage._cdata, storage.nbytes())
        return result

    def forget(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


@pytest.mark.parametrize("dtype", [*LOW, torch.float32])
@pytest.mark.parametrize(("vocab", "width"), [(4096, 16), (1024, 256)])
def test_memory_is_what_loss_bytes_says(dtype: torch.dtype, vocab: int, width: int) -> None:
    """Once the logits are the largest part, once the products for the table."""
    x_ND, weight_VD, target_N = draw(512, width, vocab, dtype)
    kept_N = target_N != IGNORE_INDEX
    with LiveBytes(x_ND.requires_grad_(), weight_VD.requires_grad_(), target_N, kept_N) as memory:
        chunked_loss.mean_loss(x_ND, weight_VD, target_N, kept_N, 128, dtype).backward()
    said = loss_bytes(
        512, rows=128, vocab=vocab, width=width, product_bytes=dtype.itemsize, wide_products=False, compiled=False
    )
    assert 0.9 < memory.peak / (said + 4 * vocab * width) < 1.05


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", LOW)
def test_memory_on_a_card(dtype: torch.dtype) -> None:
    """What `loss_bytes` says; below full logits in fp32 if the pass is compiled. Plain cross-entropy holds three."""
    num_rows, vocab, width = 8192, 151_665, 64
    x_ND = torch.randn(num_rows, width, device=CARD, requires_grad=True)
    weight_VD = torch.randn(vocab, width, device=CARD, requires_grad=True)
    target_N = torch.randint(0, vocab, (num_rows,), device=CARD)
    linear_cross_entropy(x_ND[:64], weight_VD, target_N[:64], dtype=dtype)  # kernels and workspaces
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    linear_cross_entropy(x_ND, weight_VD, target_N, dtype=dtype).backward()
    peak = torch.cuda.max_memory_allocated() - before
    said = loss_bytes(
        num_rows,
        rows=loss_rows(num_rows, chunk_rows=512, vocab=vocab, device_type="cuda"),
        vocab=vocab,
        width=width,
        product_bytes=dtype.itemsize,
        wide_products=chunked_loss.has_wide_products(CARD),
        compiled=compilation.compiles(CARD),
    )
    assert 0.8 < peak / (said + 4 * vocab * width) < 1.2
    assert peak < 4 * num_rows * vocab * (1 if compilation.compiles(CARD) else 2)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [*LOW, torch.float32])
def test_the_size_of_a_real_head_on_a_card(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four chunks, an odd vocabulary, the compiled pass where there is one; twice, with equal bits."""
    monkeypatch.setattr(door, "loss_rows", lambda *_, chunk_rows, **__: chunk_rows)
    x_ND, weight_VD, target_N = draw(2048, 64, 50_257, dtype, CARD)
    first, second = (chunked(x_ND, weight_VD, target_N, dtype, rows=512) for _ in range(2))
    assert_close(first, reference(x_ND, weight_VD, target_N), dtype, eps=64 if dtype == torch.float32 else 3)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)

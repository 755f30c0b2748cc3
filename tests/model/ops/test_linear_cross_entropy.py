"""Value and gradients against the plain path in float64, over shapes that leave ragged chunks and tiles."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.ops import chunked_loss
from stacklab.model.ops import linear_cross_entropy as kernel
from stacklab.model.ops.linear_cross_entropy import (
    IGNORE_INDEX,
    linear_cross_entropy,
    linear_cross_entropy_rows,
)

SHAPES = [(1, 1, 2), (5, 3, 11), (7, 8, 16), (16, 4, 40), (13, 6, 33)]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "TILE_V", 16)


def draw(rows: int, width: int, vocab: int, *, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows * 10_000 + vocab)
    x_ND = torch.randn(rows, width, generator=generator, dtype=torch.float64) * scale
    weight_VD = torch.randn(vocab, width, generator=generator, dtype=torch.float64)
    return x_ND, weight_VD, torch.randint(0, vocab, (rows,), generator=generator)


def value_and_gradients(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, *, chunk_rows: int | None, factor: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Through our function, or through full logits when `chunk_rows` is None."""
    x_ND, weight_VD = x_ND.clone().requires_grad_(), weight_VD.clone().requires_grad_()
    if chunk_rows is None:
        loss = F.cross_entropy(x_ND @ weight_VD.T, target_N, ignore_index=IGNORE_INDEX)
    else:
        loss = linear_cross_entropy(x_ND, weight_VD, target_N, chunk_rows=chunk_rows)
    (loss * factor).backward()
    assert x_ND.grad is not None
    assert weight_VD.grad is not None
    return loss.detach(), x_ND.grad, weight_VD.grad


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chunk_rows", [1, 4, 512])
@pytest.mark.parametrize("scale", [1.0, 400.0])
def test_float64_equals_full_logits(shape: tuple[int, int, int], chunk_rows: int, scale: float) -> None:
    """Scale 400 drives the logits far beyond what exp can hold, so rows are shifted by their maximum."""
    inputs = draw(*shape, scale=scale)
    ours = value_and_gradients(*inputs, chunk_rows=chunk_rows, factor=0.25)
    reference = value_and_gradients(*inputs, chunk_rows=None, factor=0.25)
    torch.testing.assert_close(ours, reference, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 150.0, -150.0])
def test_float32_stays_close(offset: float) -> None:
    """An offset common to all logits of a row changes nothing, though exp(150) and exp(-150) are out of range."""
    x_ND, weight_VD, target_N = draw(13, 6, 33)
    reference = value_and_gradients(x_ND, weight_VD, target_N, chunk_rows=None)
    x_ND, weight_VD = F.pad(x_ND, (0, 1), value=1.0), F.pad(weight_VD, (0, 1), value=offset)
    loss, grad_x, grad_weight = value_and_gradients(x_ND.float(), weight_VD.float(), target_N, chunk_rows=4)
    actual = (loss.double(), grad_x[:, :6].double(), grad_weight[:, :6].double())
    torch.testing.assert_close(actual, reference, rtol=1e-4, atol=3e-6)


def test_ignored_rows_are_left_out_of_the_mean() -> None:
    x_ND, weight_VD, target_N = draw(13, 6, 33)
    target_N[[0, 5, 6, 12]] = IGNORE_INDEX
    ours = value_and_gradients(x_ND, weight_VD, target_N, chunk_rows=4)
    torch.testing.assert_close(ours, value_and_gradients(x_ND, weight_VD, target_N, chunk_rows=None))
    assert not ours[1][[0, 5, 6, 12]].any()


def test_no_target_at_all_is_undefined_and_moves_nothing() -> None:
    x_ND, weight_VD, target_N = draw(3, 2, 5)
    loss, grad_x, grad_weight = value_and_gradients(
        x_ND, weight_VD, torch.full_like(target_N, IGNORE_INDEX), chunk_rows=2
    )
    assert loss.isnan()
    assert not grad_x.any()
    assert not grad_weight.any()


@pytest.mark.parametrize("scale", [1.0, 400.0])
def test_rows_are_the_terms_of_the_mean(scale: float) -> None:
    x_ND, weight_VD, target_N = draw(13, 6, 33, scale=scale)
    target_N[4] = IGNORE_INDEX
    expected = F.cross_entropy(x_ND @ weight_VD.T, target_N, reduction="none")
    torch.testing.assert_close(linear_cross_entropy_rows(x_ND, weight_VD, target_N, chunk_rows=5), expected)
    mean = linear_cross_entropy(x_ND, weight_VD, target_N)
    torch.testing.assert_close(mean, expected.sum() / 12)
    assert not mean.requires_grad


def test_repeats_bit_for_bit_and_hands_its_gradients_over_once() -> None:
    x_ND, weight_VD, target_N = draw(16, 8, 40)
    inputs = (x_ND.float(), weight_VD.float(), target_N)
    for first, second in zip(
        value_and_gradients(*inputs, chunk_rows=5), value_and_gradients(*inputs, chunk_rows=5), strict=True
    ):
        assert torch.equal(first, second)
    weight_VD.requires_grad_()
    loss = linear_cross_entropy(x_ND, weight_VD, target_N)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="called twice"):
        loss.backward()


def test_diverged_input_gives_nan_not_a_crash() -> None:
    x_ND, weight_VD, target_N = draw(5, 3, 11)
    x_ND[2, 1] = torch.nan
    loss, _, _ = value_and_gradients(x_ND, weight_VD, target_N, chunk_rows=2)
    assert loss.isnan()


@pytest.mark.parametrize(("formats", "own"), [("ff", True), ("dd", True), ("fb", False), ("bb", False), ("fd", False)])
def test_the_path_for_cpus_is_taken_where_all_is_fp32_or_fp64(
    formats: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """formats: of the tensors and of the products. The rest goes through `chunked_loss`."""
    tensors, products = ({"f": torch.float32, "d": torch.float64, "b": torch.bfloat16}[each] for each in formats)
    x_ND, weight_VD, target_N = draw(8, 4, 20)
    taken = []
    monkeypatch.setattr(kernel, "log_normaliser_R", lambda x_RD, _: taken.append("own") or x_RD[:, 0].double())
    monkeypatch.setattr(chunked_loss, "row_losses", lambda x_ND, *_: taken.append("chunked") or x_ND[:, 0])
    linear_cross_entropy_rows(x_ND.to(tensors), weight_VD.to(tensors), target_N, dtype=products)
    assert taken == ["own" if own else "chunked"]

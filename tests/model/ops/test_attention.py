"""Against the plain formula in float64, given the very mask that was drawn."""

import pytest
import torch
from torch import Tensor

from stacklab.model.ops import dropped_attention, piece_size
from stacklab.model.ops.attention import causal_attention
from stacklab.model.ops.masks import kept_share


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropped_attention, "QUERY_BLOCK", 4)
    monkeypatch.setattr(piece_size, "QUERY_BLOCK", 4)
    monkeypatch.setattr(piece_size, "PIECE_ELEMENTS", 100)


def inputs(shape: tuple[int, ...]) -> list[Tensor]:
    """q, k, v as views of one packed tensor, as a layer gives them."""
    batch, heads, size, width = shape
    generator = torch.Generator().manual_seed(size)
    packed = torch.randn(batch, size, 3, heads, width, generator=generator, dtype=torch.float64)
    return [part.detach().requires_grad_() for part in packed.permute(2, 0, 3, 1, 4).unbind(0)]


def kept_GTT(shape: tuple[int, ...], p: float, seed: int, window: int | None) -> Tensor:
    """The mask of the whole square, put together from its pieces; nothing outside them can be seen."""
    batch, heads, size, _ = shape
    kept = torch.zeros(batch * heads, size, size, dtype=torch.bool)
    for piece in dropped_attention.pieces(torch.empty(batch * heads, size, 1), p, seed, window):
        (group, queries), (_, keys) = piece.queries, piece.keys
        kept[group, queries, keys] = piece.kept.bool()
    return kept


def plain(q: Tensor, k: Tensor, v: Tensor, kept: Tensor, window: int | None, scale: float, share: float) -> Tensor:
    size = q.shape[2]
    age = torch.arange(size)[:, None] - torch.arange(size)
    hidden = (age < 0) | (age >= (size if window is None else window))
    probability = torch.softmax((q @ k.transpose(-1, -2) * scale).masked_fill(hidden, -torch.inf), -1)
    return probability * kept.view_as(probability) / share @ v


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (2, 3, 4, 5), (2, 2, 9, 3), (3, 2, 17, 4)])
@pytest.mark.parametrize("window", [None, 1, 3, 6])
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_value_and_gradients(shape: tuple[int, ...], window: int | None, p: float) -> None:
    kept = kept_GTT(shape, p, 7, window) if p else torch.ones(shape[0] * shape[1], shape[2], shape[2])
    if p and shape[2] > 4:
        assert not kept.tril().equal(torch.ones_like(kept).tril()), "the mask drops nothing"
    ours, theirs = inputs(shape), inputs(shape)
    found = causal_attention(*ours, dropout=p, seed=7, window=window, scale=0.7)
    expected = plain(*theirs, kept, window, 0.7, kept_share(p) if p else 1.0)
    torch.testing.assert_close(found, expected)
    weights = torch.linspace(-1, 2, expected.numel(), dtype=torch.float64).view_as(expected)
    found.backward(weights)
    expected.backward(weights)
    torch.testing.assert_close([each.grad for each in ours], [each.grad for each in theirs])


def test_default_scale_is_that_of_the_paper() -> None:
    q, k, v = inputs((2, 2, 9, 3))
    for p in (0.0, 0.3):
        default = causal_attention(q, k, v, dropout=p, seed=1)
        torch.testing.assert_close(default, causal_attention(q, k, v, dropout=p, seed=1, scale=3**-0.5))


def test_masks_differ_between_sequences_heads_and_seeds() -> None:
    first = kept_GTT((3, 2, 17, 4), 0.5, 7, None)
    assert len({tuple(head.flatten().tolist()) for head in first}) == 6
    assert first.equal(kept_GTT((3, 2, 17, 4), 0.5, 7, None))
    assert not first.equal(kept_GTT((3, 2, 17, 4), 0.5, 8, None))


def test_float32_repeats_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    runs = []
    for _ in range(2):
        q, k, v = (each.detach().float().requires_grad_() for each in inputs((2, 3, 200, 16)))
        o = causal_attention(q, k, v, dropout=0.1, seed=5)
        o.square().sum().backward()
        runs.append((o.detach(), q.grad, k.grad, v.grad))
    for one, other in zip(*runs, strict=True):
        assert one is not None
        assert torch.equal(one, other)

"""Against the plain formula in float64, with the same mask."""

import pytest
import torch
from torch import Tensor

from stacklab.model.masks import Mask, Visibility
from stacklab.model.ops import attention as kernels
from stacklab.model.ops import piece_size
from stacklab.model.ops.attention import CAUSAL, attention
from stacklab.model.ops.keep_masks import kept_share


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "QUERY_BLOCK", 4)
    monkeypatch.setattr(piece_size, "QUERY_BLOCK", 4)
    monkeypatch.setattr(piece_size, "PIECE_ELEMENTS", 100)


def inputs(shape: tuple[int, ...], extra: int = 0) -> list[Tensor]:
    """q, k, v as views of one packed tensor, as a layer gives them; an identity term makes q and k wider."""
    batch, heads, size, width = shape
    generator = torch.Generator().manual_seed(size)
    packed = torch.randn(batch, size, 3, heads, width, generator=generator, dtype=torch.float64)
    q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
    if extra:
        x = torch.randn(batch, 1, size, extra, generator=generator, dtype=torch.float64).expand(-1, heads, -1, -1)
        q, k = torch.cat((q, 0.3 * x), -1), torch.cat((k, x), -1)
    return [part.detach().requires_grad_() for part in (q, k, v)]


def kept_GTT(shape: tuple[int, ...], p: float, seed: int, visibility: Visibility) -> Tensor:
    """The mask of the whole square, put together from its pieces; nothing outside them can be seen."""
    batch, heads, size, _ = shape
    kept = torch.zeros(batch * heads, size, size, dtype=torch.bool)
    for piece in kernels.pieces(torch.empty(batch * heads, size, 1), p, seed, visibility):
        (group, queries), (_, keys) = piece.queries, piece.keys
        kept[group, queries, keys] = piece.kept.bool()
    return kept


def plain(q: Tensor, k: Tensor, v: Tensor, kept: Tensor, visibility: Visibility, scale: float, share: float) -> Tensor:
    size = q.shape[2]
    age = torch.arange(size)[:, None] - torch.arange(size)
    hidden = age.abs() >= (size if visibility.window is None else visibility.window)
    if visibility.mask == "causal":
        hidden |= age < 0
    probability = torch.softmax((q @ k.transpose(-1, -2) * scale).masked_fill(hidden, -torch.inf), -1)
    return probability * kept.view_as(probability) / share @ v


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (2, 3, 4, 5), (2, 2, 9, 3), (3, 2, 17, 4)])
@pytest.mark.parametrize("window", [None, 1, 3, 6])
@pytest.mark.parametrize("mask", ["causal", "full"])
@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize("extra", [0, 3])
def test_value_and_gradients(shape: tuple[int, ...], window: int | None, mask: Mask, p: float, extra: int) -> None:
    visibility = Visibility(mask, window)
    kept = kept_GTT(shape, p, 7, visibility) if p else torch.ones(shape[0] * shape[1], shape[2], shape[2])
    if p and shape[2] > 4:
        assert not kept.tril().equal(torch.ones_like(kept).tril()), "the mask drops nothing"
    ours, theirs = inputs(shape, extra), inputs(shape, extra)
    actual = attention(*ours, dropout=p, seed=7, visibility=visibility, scale=0.7)
    expected = plain(*theirs, kept, visibility, 0.7, kept_share(p) if p else 1.0)
    torch.testing.assert_close(actual, expected)
    weights = torch.linspace(-1, 2, expected.numel(), dtype=torch.float64).view_as(expected)
    actual.backward(weights)
    expected.backward(weights)
    torch.testing.assert_close([each.grad for each in ours], [each.grad for each in theirs])


def test_default_scale_is_that_of_the_paper() -> None:
    q, k, v = inputs((2, 2, 9, 3))
    for p in (0.0, 0.3):
        default = attention(q, k, v, dropout=p, seed=1)
        torch.testing.assert_close(default, attention(q, k, v, dropout=p, seed=1, scale=3**-0.5))


def test_masks_differ_between_sequences_heads_and_seeds() -> None:
    first = kept_GTT((3, 2, 17, 4), 0.5, 7, CAUSAL)
    assert len({tuple(head.flatten().tolist()) for head in first}) == 6
    assert first.equal(kept_GTT((3, 2, 17, 4), 0.5, 7, CAUSAL))
    assert not first.equal(kept_GTT((3, 2, 17, 4), 0.5, 8, CAUSAL))


def test_float32_repeats_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    runs = []
    for _ in range(2):
        q, k, v = (each.detach().float().requires_grad_() for each in inputs((2, 3, 200, 16)))
        o = attention(q, k, v, dropout=0.1, seed=5)
        o.square().sum().backward()
        runs.append((o.detach(), q.grad, k.grad, v.grad))
    for one, other in zip(*runs, strict=True):
        assert one is not None
        assert torch.equal(one, other)

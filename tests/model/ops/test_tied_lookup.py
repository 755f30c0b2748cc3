import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.ops.linear_cross_entropy import linear_cross_entropy, tied_lookup

IDS_BT = torch.tensor([[3, 1, 1, 0], [3, 5, 3, 2]])
TARGET_N = torch.tensor([1, 1, 0, 3, 5, 3, 2, 6])


def table() -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(7, 3, generator=generator, dtype=torch.float64).requires_grad_()


def loss_of(x_BTD: Tensor, head_VD: Tensor) -> Tensor:
    return linear_cross_entropy(x_BTD.tanh().flatten(0, 1), head_VD, TARGET_N)


def test_gradient_is_the_sum_of_both_uses() -> None:
    ours, plain = table(), table()
    torch.testing.assert_close(tied_lookup(ours, IDS_BT)[0], F.embedding(IDS_BT, plain))
    for scale in (1.0, 0.5):  # twice: gradients add up over micro-batches
        (loss_of(*tied_lookup(ours, IDS_BT)) * scale).backward()
        (loss_of(F.embedding(IDS_BT, plain), plain) * scale).backward()
    torch.testing.assert_close(ours.grad, plain.grad)


@pytest.mark.parametrize("used", ["lookup", "head"])
def test_either_use_alone(used: str) -> None:
    ours, plain = table(), table()
    x_BTD, head_VD = tied_lookup(ours, IDS_BT)
    if used == "lookup":
        x_BTD.square().sum().backward()
        F.embedding(IDS_BT, plain).square().sum().backward()
    else:
        head_VD.square().sum().backward()
        plain.square().sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad)


def test_the_heads_gradient_becomes_that_of_the_table_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The saving that this function exists for: one dense gradient, never two."""
    addresses = []
    original = torch.empty_like

    def recording(like: Tensor) -> Tensor:
        made = original(like)
        if made.shape == (7, 3):
            addresses.append(made.data_ptr())
        return made

    monkeypatch.setattr(torch, "empty_like", recording)
    weight_VD = table()
    loss_of(*tied_lookup(weight_VD, IDS_BT)).backward()
    assert weight_VD.grad is not None
    assert addresses == [weight_VD.grad.data_ptr()]


def test_without_gradients_the_table_itself_comes_back() -> None:
    weight_VD = table()
    with torch.no_grad():
        assert tied_lookup(weight_VD, IDS_BT)[1] is weight_VD

import math

import pytest
import torch

from stacklab.model.ops.dropout import dropout
from stacklab.model.ops.keep_masks import KeepMasks, kept_share


def test_kept_elements_are_scaled_and_the_gradient_follows_the_same_mask() -> None:
    x = torch.randn(7, 13, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    y = dropout(x, 0.3, 11)
    kept = KeepMasks(0.3, 11).draw((7, 13, 5))
    assert 0 < kept.sum() < kept.numel()
    torch.testing.assert_close(y, x * kept / kept_share(0.3))
    weights = x.detach() ** 2
    (grad,) = torch.autograd.grad(y, x, weights)
    torch.testing.assert_close(grad, weights * kept / kept_share(0.3))


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_share_dropped_is_p(p: float) -> None:
    count = 1_000_000
    dropped = count - int(KeepMasks(p, 3).draw((1000, 1000)).sum())
    assert abs(kept_share(p) - (1 - p)) < 1e-5
    assert abs(dropped - count * p) < 5 * math.sqrt(count * p * (1 - p))


def test_mask_is_a_function_of_the_seed_and_neighbours_share_nothing() -> None:
    x = torch.ones(300, 200)
    first, again, other = dropout(x, 0.5, 8), dropout(x, 0.5, 8), dropout(x, 0.5, 9)
    assert torch.equal(first, again)
    agreement = (first == other).float().mean().item()
    assert abs(agreement - 0.5) < 0.02


def test_global_random_state_is_neither_read_nor_moved() -> None:
    before = torch.get_rng_state()
    dropout(torch.ones(64), 0.5, 1)
    assert torch.equal(before, torch.get_rng_state())


def test_rates_at_the_edge() -> None:
    x = torch.ones(50)
    assert dropout(x, 0.0, 1) is x
    assert kept_share(0.999999999) > 0
    assert torch.isfinite(dropout(x, 0.999999999, 1)).all()


def test_other_number_formats_keep_their_format() -> None:
    x = torch.ones(40, dtype=torch.bfloat16, requires_grad=True)
    y = dropout(x, 0.5, 2)
    y.sum().backward()
    assert y.dtype == torch.bfloat16
    assert torch.equal(x.grad, y.detach())

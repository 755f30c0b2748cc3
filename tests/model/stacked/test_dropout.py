"""Dropout of stacks: its distribution, and that no replica changes the masks of another."""

from typing import Any

import pytest
import torch
from tests.model.stacked.test_transformer import BASE, models_of, stacked
from torch import Tensor

from stacklab.model.spec import ModelSpec
from stacklab.model.stacked.dropout import StackedDropout
from stacklab.model.stacked.transformer import StackedTransformer

CPU = torch.device("cpu")
COLUMNS = torch.arange(8)


def masked(*seeds: int, calls: int = 1, size: int = 10_000, p: float = 0.3) -> Tensor:
    """The last of some calls on ones."""
    masks = StackedDropout(seeds, CPU)
    return [masks.drop(torch.ones(len(seeds), size, 1), p) for _ in range(calls)][-1]


def test_a_share_p_is_dropped_and_the_mean_is_kept() -> None:
    x_RND = masked(1, 2)
    assert sorted(x_RND.unique().tolist()) == pytest.approx([0.0, 1 / 0.7])
    # Five standard errors.
    assert x_RND.mean((1, 2)).tolist() == pytest.approx([1.0, 1.0], abs=5 * (0.3 / 0.7 / 10_000) ** 0.5)


def test_replicas_sites_and_steps_have_masks_of_their_own() -> None:
    """Correlations of independent masks of 10,000 elements are below 0.05."""
    rows = torch.cat([masked(1, 2), masked(1, 2, calls=2), masked(3)]).flatten(1)
    correlations = torch.corrcoef(rows) - torch.eye(len(rows))
    assert correlations.abs().max() < 0.05


def test_company_does_not_change_the_masks_of_a_replica() -> None:
    assert torch.equal(masked(5, 1, 2, calls=3)[1], masked(1, calls=3)[0])


def test_the_gradient_has_the_same_mask_and_p_of_0_does_nothing() -> None:
    x_RND = torch.ones(2, 50, 3, requires_grad=True)
    masks = StackedDropout((1, 2), CPU)
    assert masks.drop(x_RND, 0.0) is x_RND
    dropped_RND = masks.drop(x_RND, 0.3)
    dropped_RND.sum().backward()
    assert torch.equal(x_RND.grad, dropped_RND)


def logits(models: list[Any], seeds: tuple[int, ...]) -> Tensor:
    spec = models[0].spec
    ids_RBT = torch.arange(8 * 4).reshape(4, 8).remainder(11).expand(len(models), -1, -1)
    return StackedTransformer(spec).logits(stacked(models), ids_RBT, COLUMNS, StackedDropout(seeds, CPU))


PLACES: list[dict[str, Any]] = [
    {"dropout": 0.2},
    {"attention_dropout": 0.2},
    {"dropout": 0.2, "attention_dropout": 0.2, "num_heads": 1, "linear_bias": True},
    {"dropout": 0.2, "attention_identity": 0.2},
]


@pytest.mark.parametrize("change", PLACES, ids=str)
def test_a_stack_draws_per_replica(change: dict[str, Any]) -> None:
    models = models_of(ModelSpec(**BASE | change))
    three, one = logits(models, (1, 2, 3)), logits(models[1:2], (2,))
    torch.testing.assert_close(three[1], one[0], rtol=0, atol=1e-12)
    twins = logits([models[0], models[0]], (1, 2))
    assert not torch.allclose(twins[0], twins[1])


@pytest.mark.parametrize("change", PLACES, ids=str)
def test_over_many_masks_logits_have_the_moments_of_the_model_alone(change: dict[str, Any]) -> None:
    """Means and deviations of each logit over 300 draws, against those of the masks that Transformer draws."""
    (model, *_) = models_of(ModelSpec(**BASE | change))
    ids_BT = torch.arange(8 * 4).reshape(4, 8).remainder(11)
    with torch.no_grad():
        own = torch.cat([logits([model] * 100, tuple(range(first, first + 100))) for first in (0, 100, 200)])
        alone = torch.stack([model.logits(model(ids_BT, dropout_seed=seed)) for seed in range(300)])
    spread = (own.var(0) + alone.var(0)).sqrt().clamp(min=1e-9)
    distance = (own.mean(0) - alone.mean(0)) / spread * 300**0.5
    assert distance.pow(2).mean() == pytest.approx(1.0, abs=0.5)
    assert (own.std(0) / alone.std(0)).mean().item() == pytest.approx(1.0, abs=0.05)

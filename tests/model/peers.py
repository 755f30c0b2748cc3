"""What comparisons with other implementations share."""

from collections.abc import Mapping

import torch
from torch import Tensor


def gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def assert_gradients_agree(ours: Mapping[str, Tensor], theirs: Mapping[str, torch.nn.Parameter]) -> None:
    """Under the peer's names, to 1e-5 of the largest of each tensor."""
    for name, value in theirs.items():
        wanted = gradient(value)
        worst = (ours[name] - wanted).abs().max() / wanted.abs().max()
        assert worst < 1e-5, name

"""Rotary positions: queries and keys rotated by their position."""

import torch
from torch import Tensor

from stacklab.model.positions.kinds import RotaryPositions


class Rotation:
    """Rotates pairs of numbers of queries and keys: see RotaryPositions. It has no parameters.

    Number i is paired with number i + K / 2, as in Hugging Face's Llama. Weights from a layout that pairs 2i with
    2i + 1 (Su et al.'s own, and that of Meta's and llama2.c's checkpoints) have the same scores once the rows of each
    head of queries and keys are permuted: first the even ones, then the odd ones.
    """

    def __init__(self, position: RotaryPositions, head_size: int) -> None:
        self.base, self.head_size = position.base, head_size

    def __call__(self, q_BTHK: Tensor, k_BTGK: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(q_BTHK.dtype, torch.float32)
        exponents = torch.arange(0, self.head_size, 2, device=q_BTHK.device, dtype=wide) / self.head_size
        angles = positions.to(wide)[..., None, None] / self.base**exponents
        cos, sin = angles.cos(), angles.sin()
        return _rotated(q_BTHK, cos, sin), _rotated(k_BTGK, cos, sin)


def _rotated(x_BTHK: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x_BTHK.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1).to(x_BTHK.dtype)

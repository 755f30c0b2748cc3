"""A small model, its settings of training, and one batch for it."""

from typing import Any

import torch

from stacklab.train.spec import ScheduleSpec
from stacklab.train.step import Trainer

MODEL: dict[str, Any] = {
    "vocab_size": 29,
    "d_model": 16,
    "num_layers": 2,
    "num_heads": 2,
    "context_length": 8,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
FROZEN: dict[str, Any] = {"token_table": "frozen", "tie_embeddings": False}
TOKENS_BT = torch.arange(8 * 9).reshape(8, 9) * 11 % 29
PAIR = (TOKENS_BT[:, :-1], TOKENS_BT[:, 1:])
PLAIN: dict[str, Any] = {"batch_size": 8, "steps": 10, "schedule": ScheduleSpec(warmup_steps=0)}


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])

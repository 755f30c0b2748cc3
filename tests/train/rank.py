"""Cases of tests/train/test_distributed.py, computed by one rank: `python rank.py FOLDER`, in torchrun's environment.

The same functions compute them in one process, as the reference.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tests.train.trainers import MODEL, PAIR, PLAIN, weights
from torch import Tensor

from stacklab.model.init import build
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX
from stacklab.model.spec import ModelSpec
from stacklab.train.distributed import ALONE, World, joined
from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer

DROPOUT = {"dropout": 0.1, "attention_dropout": 0.1}


def uneven() -> tuple[Tensor, Tensor]:
    """The batch of PAIR, whose micro-batches of 2 have 1, 0, 9 and 16 targets."""
    inputs_BT, targets_BT = PAIR[0], PAIR[1].clone()
    targets_BT[0, 1:] = targets_BT[1:4] = IGNORE_INDEX
    targets_BT[5, 1:] = IGNORE_INDEX
    return inputs_BT, targets_BT


def trainer(world: World, *, double: bool = False, model: dict[str, Any] | None = None, **train: Any) -> Trainer:
    one = build(ModelSpec(**MODEL | DROPOUT | (model or {})), seed=0)
    return Trainer(one.double() if double else one, TrainSpec(**PLAIN | train), 0, world)


def gradients(world: World) -> tuple[dict[str, Tensor], float]:
    """Of one step in float64, and its loss."""
    one = trainer(world, double=True, micro_batch_size=2, optimizer=AdamWSpec(clip_norm=None))
    kept: dict[str, Tensor] = {}

    def keep(*_: Any) -> None:
        kept.update(
            {name: value.grad.clone() for name, value in one.model.named_parameters() if value.grad is not None}
        )

    one.optimizer.register_step_pre_hook(keep)
    return kept, one.step(0, *uneven())[0]


def halves(world: World) -> tuple[Tensor, list[Any]]:
    """Steps of two micro-batches, of which some drop a layer and some overflow in fp16."""
    one = trainer(world, micro_batch_size=4, model={"layer_drop": 0.5}, precision="fp16")
    one.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    numbers = [one.step(step, *PAIR) for step in range(8)]
    return weights(one), [*numbers, one.scaler.get_scale()]


def main() -> None:
    with joined("cpu") as world:
        kept, loss = gradients(world)
        halved, numbers = halves(world)
        shared = {"nan": float("nan"), "text": "ä", "tenth": 0.1}
        facts = {
            "loss": loss,
            "numbers": numbers,
            "any": [world.any(world.rank == one) for one in range(3)],
            "shared": world.share(shared) if world.rank == 0 else world.receive(),
        }
        folder = Path(sys.argv[1])
        save_file(kept | {"halves": halved}, folder / f"{world.rank}.safetensors")
        (folder / f"{world.rank}.json").write_text(json.dumps(facts))
        world.wait()


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert os.environ["WORLD_SIZE"] == "2" and ALONE.size == 1
    main()

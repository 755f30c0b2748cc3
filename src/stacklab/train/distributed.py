"""The processes that train one run together, each on a card of its own; in tests on the CPU.

Every rank draws the whole batch and trains on its rows of it: an equal share, in order, so that rank 0 has the first
rows. The ranks then sum their gradients and take the same step. A step therefore equals that of one process with the
same micro-batches, dropout included, but for the order of sums; two launches with equally many ranks are equal bit
for bit, since the sums of a ring have a fixed order (base/env sets NCCL_ALGO).

Decisions are made on the host, and so are the exchanges that serve them: they do not wait for the cards.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
"""Device of the run -> what carries tensors between the ranks, by where they lie."""

PATIENCE = timedelta(hours=1)
"""How long a rank waits for the others, which may evaluate or save meanwhile. A rank that dies ends all at once."""


class PeerLostError(Exception):
    """An exchange with the other ranks failed; as a rule one of them has ended."""


@dataclass(frozen=True)
class World:
    """All processes of a run. rank: the number of this one, from 0. size: how many there are.

    With more than one, each method is called by all ranks in the same order. All raise PeerLostError.
    """

    rank: int = 0
    size: int = 1

    def rows(self, ids_BT: Tensor) -> Tensor:
        """This rank's rows of a batch, whose number of rows `size` divides."""
        return ids_BT if self.size == 1 else ids_BT.chunk(self.size)[self.rank]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the ranks, which is one reduction of all of them.

        A parameter that has a gradient on no rank keeps none, as in one process: its layer was dropped.
        """
        if self.size == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        present = torch.tensor([parameter.grad is not None for parameter in trained], dtype=torch.uint8)
        _reduce(present, dist.ReduceOp.MAX)
        shared = [parameter for parameter, has in zip(trained, present.tolist(), strict=True) if has]
        flat = torch.cat([_gradient(parameter).flatten() for parameter in shared])
        _reduce(flat, dist.ReduceOp.SUM)
        parts = torch.split(flat, [parameter.numel() for parameter in shared])
        for parameter, part in zip(shared, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def sum(self, number: Tensor) -> Tensor:
        """The sum of a number over the ranks, on its device."""
        if self.size > 1:
            _reduce(number, dist.ReduceOp.SUM)
        return number

    def any(self, flag: bool) -> bool:
        """Whether the flag is true on any rank."""
        if self.size == 1:
            return flag
        number = torch.tensor(flag, dtype=torch.uint8)
        _reduce(number, dist.ReduceOp.MAX)
        return bool(number)

    def wait(self) -> None:
        """Wait until all ranks have arrived here."""
        self.any(False)

    def share(self, value: Any) -> Any:
        """Send a plain JSON value from rank 0, which calls this, to the others, which call `receive`; returns it."""
        if self.size > 1:
            text = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)
            _send(torch.tensor(len(text)))
            _send(text)
        return value

    def receive(self) -> Any:
        """The value that rank 0 shares."""
        length = torch.tensor(0)
        _send(length)
        text = torch.zeros(int(length), dtype=torch.uint8)
        _send(text)
        return json.loads(bytes(text.tolist()))


ALONE = World()


@contextlib.contextmanager
def joined(device: str) -> Iterator[World]:
    """This process as a rank of the world that torchrun describes in the environment. device: cpu or cuda."""
    with _exchange():
        dist.init_process_group(BACKENDS[device], timeout=PATIENCE)
    yield World(dist.get_rank(), dist.get_world_size())
    # Not after an error: with NCCL that could wait for a rank that is gone.
    dist.destroy_process_group()


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _reduce(tensor: Tensor, operation: Any) -> None:
    with _exchange():
        dist.all_reduce(tensor, op=operation)


def _send(tensor: Tensor) -> None:
    """From rank 0 to all."""
    with _exchange():
        dist.broadcast(tensor, src=0)


@contextlib.contextmanager
def _exchange() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise PeerLostError(str(error)) from error

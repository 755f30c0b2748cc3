"""Two ranks against one process with the same micro-batches."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from tests.train import rank
from torch import Tensor

from stacklab.base.errors import SpecError
from stacklab.train.distributed import ALONE, World
from stacklab.train.spec import TrainSpec

ROOT = Path(__file__).parents[2]


class Rank(NamedTuple):
    """What a rank has computed."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Rank]:
    folder = tmp_path_factory.mktemp("ranks")
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    torchrun = ["torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2"]
    subprocess.run(
        [sys.executable, "-m", *torchrun, rank.__file__, str(folder)],
        check=True,
        env=os.environ | {"PYTHONPATH": path, "GLOO_SOCKET_IFNAME": "lo"},
    )
    return [
        Rank(load_file(folder / f"{number}.safetensors"), json.loads((folder / f"{number}.json").read_text()))
        for number in range(2)
    ]


def test_the_gradient_is_that_of_one_process(ranks: list[Rank]) -> None:
    """In float64, with dropout, where a mean per rank would weigh a target of the first rank 25 times another one."""
    expected, loss = rank.gradients(ALONE)
    for one in ranks:
        assert one.tensors.keys() == expected.keys() | {"halves"}
        for name, value in expected.items():
            torch.testing.assert_close(one.tensors[name], value, rtol=1e-12, atol=1e-12)
        assert one.facts["loss"] == pytest.approx(loss, rel=1e-6)


def test_two_halves_equal_one_process_bit_for_bit_with_dropped_layers_and_overflows(ranks: list[Rank]) -> None:
    """Two addends have one order. Dropped layers keep their state; an overflow on one rank lowers the scale of both."""
    expected, numbers = rank.halves(ALONE)
    assert numbers[0][1] == 0.0 and numbers[-1] < 2.0**24, "no step overflowed"
    for one in ranks:
        assert torch.equal(one.tensors["halves"], expected)
        assert str(one.facts["numbers"]) == str(json.loads(json.dumps(numbers)))


def test_ranks_agree(ranks: list[Rank]) -> None:
    for one in ranks:
        assert one.facts["any"] == [True, True, False]
        assert math.isnan(one.facts["shared"].pop("nan"))
        assert one.facts["shared"] == {"text": "ä", "tenth": 0.1}


def test_rows_are_equal_shares_in_order() -> None:
    rows_BT = torch.arange(12).reshape(6, 2)
    assert torch.equal(torch.cat([World(number, 3).rows(rows_BT) for number in range(3)]), rows_BT)
    assert ALONE.rows(rows_BT) is rows_BT


def test_alone_nothing_is_exchanged() -> None:
    assert ALONE.share({"a": 1}) == {"a": 1}
    assert ALONE.any(True) and not ALONE.any(False)
    ALONE.wait()


def test_a_forward_pass_takes_at_most_the_rows_of_a_rank() -> None:
    spec = TrainSpec(batch_size=16, micro_batch_size=8)
    assert [spec.micro_batch_on(number) for number in (1, 2, 4)] == [8, 8, 4]


@pytest.mark.parametrize(
    ("train", "number", "message"),
    [
        ({"batch_size": 4}, 3, r"^gpus-per-run: 3 does not divide train\.batch_size = 4$"),
        (
            {"batch_size": 12, "micro_batch_size": 4},
            2,
            r"^train\.micro_batch_size = 4 does not divide 6, the share of each of 2 GPUs of train\.batch_size = 12$",
        ),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(train: dict[str, int], number: int, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        rank.trainer(World(0, number), **train)

"""Single files that hold something else than they should."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stacklab.base.errors import DataError, PortError
from stacklab.exchange.import_ import read_file, read_nanogpt
from stacklab.model.init import build
from stacklab.model.port import nanogpt
from stacklab.model.port.links import to_theirs

TOLD = {"n_layer": 2, "n_head": 3, "n_embd": 12, "block_size": 16, "bias": True, "vocab_size": 31, "dropout": 0.0}
TABLE = "transformer.wte.weight"


def checkpoint() -> dict[str, Any]:
    spec = nanogpt.read(TOLD)
    ours = {name: value.detach() for name, value in build(spec, seed=0).named_parameters()}
    return {"model": to_theirs(nanogpt.links(spec), ours), "model_args": dict(TOLD)}


BAD: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda c: c["model_args"].update({1: 2, "zz": 3}), "model_args holds 1 = 2, expected names and plain values"),
    (lambda c: c["model_args"].update({"zz": torch.ones(3)}), "model_args holds 'zz' = tensor"),
    (lambda c: c["model"].update({TABLE: c["model"][TABLE].to("meta")}), f"'{TABLE}' has a shape but no values"),
    (lambda c: c["model"][TABLE].fill_(torch.inf), f"{TABLE} has 372 of 372 numbers that are NaN or infinite"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD, ids=[case[-1] for case in BAD])
def test_a_bad_checkpoint_is_refused_with_the_reason(
    spoil: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    content = checkpoint()
    torch.save(content, tmp_path / "ckpt.pt")
    assert read_nanogpt(tmp_path / "ckpt.pt").spec.d_model == 12
    spoil(content)
    torch.save(content, tmp_path / "bad.pt")
    with pytest.raises(PortError, match=message):
        read_nanogpt(tmp_path / "bad.pt")


def test_a_llama2c_file_with_nan_is_refused(tmp_path: Path) -> None:
    """Its last numbers are tables that are computed here, and may hold anything."""
    numbers = [0.5] * 156
    path = tmp_path / "x.bin"
    path.write_bytes(struct.pack("<7i156f", 4, 4, 1, 1, 1, 4, 4, *numbers[:-1], torch.nan))
    assert read_file(path, tokenizer=None).spec.d_model == 4
    numbers[3] = torch.nan
    path.write_bytes(struct.pack("<7i156f", 4, 4, 1, 1, 1, 4, 4, *numbers))
    with pytest.raises(PortError, match=r"x\.bin: its weights: table has 1 of 16 numbers that are NaN"):
        read_file(path, tokenizer=None)


def test_tensors_that_repeat_few_numbers_are_refused_before_they_are_read(tmp_path: Path) -> None:
    content = checkpoint()
    content["model"][TABLE] = torch.zeros(1).expand(2**24, 2**15)
    torch.save(content, tmp_path / "ckpt.pt")
    assert (tmp_path / "ckpt.pt").stat().st_size < 100_000
    with pytest.raises(PortError, match=r"has shape \(16777216, 32768\) over 4 bytes, so its numbers repeat"):
        read_nanogpt(tmp_path / "ckpt.pt")


MINI = {"vocab_size": 3, "n_layer": 1, "n_head": 1, "n_embd": 2, "block_size": 4}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"shape": [1], "dtype": "torch.float32", "data": "é==="}, "x is not base64"),
        ({"shape": [1], "dtype": "torch.float32", "data": "AAA"}, "x is not base64"),
        (
            {"shape": [1], "dtype": "torch.float32", "data": "AAAA"},
            r"x has 3 bytes, its shape \[1\] needs 4 a number",
        ),
        ({"shape": [True], "dtype": "torch.float32", "data": "AAAAAA=="}, "x is not a tensor"),
    ],
)
def test_a_bad_tensor_of_mingpts_json_is_refused(entry: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"config": MINI, "x": entry}))
    with pytest.raises(PortError, match=message):
        read_file(tmp_path / "m.json", tokenizer=None)


@pytest.mark.parametrize("name", ["fifo.bin", "fifo.pt", "fifo.json", "fifo"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="is a pipe, not a regular file"):
        read_file(tmp_path / name, tokenizer=None)

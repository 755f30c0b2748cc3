"""Imported models' folders that are not what was written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.exchange.conftest import small
from tests.model.port.conftest import GPT2_STACK, OWN_STACKS, filled, stack, tensors_of

from stacklab.base.errors import DataError, PortError, TokenizerError, UserError
from stacklab.data.tokenizers.files import TokenizerFile, bytes_tokenizer, train_bpe
from stacklab.exchange.locate import locate
from stacklab.exchange.model_folder import RECORD, load_model, save_model
from stacklab.exchange.portable import Portable


def folder_of(path: Path, fields: dict[str, Any] = GPT2_STACK, *, tokenizer: TokenizerFile | None = None) -> Path:
    """A sound one."""
    model = filled(stack(fields, vocab_size=31 if tokenizer is None else 259))
    save_model(Portable("m", model.spec, tensors_of(model), tokenizer, 1, 2, {"form": "gpt2", "files": {}}), path)
    return path


def change_record(folder: Path, **changed: Any) -> None:
    path = folder / RECORD
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def in_stack(folder: Path, **changed: Any) -> None:
    change_record(folder, model=json.loads((folder / RECORD).read_text())["model"] | changed)


def weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def linked(folder: Path, name: str) -> None:
    outside = folder.parent / f"outside-{name}"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)


HUGE = 10**30
TABLE = "token_embedding.weight"
BAD: list[tuple[Callable[[Path], Any], type[UserError], str]] = [
    (lambda f: in_stack(f, num_layers=10**9), PortError, "model: num_layers: 1[0,]+ layers, expected at most 10,000"),
    (lambda f: in_stack(f, num_layers=9999), PortError, "holds 28 tensors, too few for the 9999 layers"),
    (lambda f: in_stack(f, vocab_size=HUGE), PortError, "model: vocab_size: 1[0,]+ exceeds 16,777,216"),
    (lambda f: in_stack(f, vocab_size=2**24, d_model=3 * 2**21), PortError, rf"{TABLE} has shape \(31, 12\)"),
    (lambda f: in_stack(f, vocab_size=None), PortError, "model.vocab_size is missing or null, expected a whole number"),
    (lambda f: in_stack(f, d_model="wide"), PortError, r"model\.json: model: d_model: Input should be"),
    (lambda f: change_record(f, model=[1]), PortError, r"model\.json: model: Input should be"),
    (lambda f: change_record(f, origin=[1]), PortError, "origin: Input should be .*import it again"),
    (lambda f: change_record(f, origin={"run": "x"}), PortError, "origin.run: Extra inputs"),
    (lambda f: change_record(f, end_id=10**9), PortError, "end_id is 10+, expected an id of the vocabulary, 0 to 30"),
    (lambda f: change_record(f, end_id="x"), PortError, "end_id: Input should be a valid integer"),
    (lambda f: change_record(f, start_id=True), PortError, "start_id: Input should be a valid integer"),
    (lambda f: change_record(f, format=2), PortError, "format: Input should be 1"),
    (lambda f: (f / RECORD).write_text("[]"), PortError, "expected a JSON object, found a list"),
    (lambda f: (f / RECORD).write_bytes(b"\xff"), DataError, "model.json: not UTF-8 at byte 0"),
    (lambda f: weights(f, lambda t: t.pop(TABLE)), PortError, f"lacks the tensor {TABLE}"),
    (lambda f: weights(f, lambda t: t[TABLE].fill_(torch.nan)), PortError, f"{TABLE} has 372 of 372 numbers"),
    (lambda f: linked(f, "model.safetensors"), PortError, r"model\.safetensors: is a link to .*, outside the folder"),
    (lambda f: linked(f, RECORD), PortError, r"model\.json: is a link to .*, outside the folder"),
    (lambda f: (f / "model.safetensors").write_bytes(b"x"), PortError, "not a complete safetensors file"),
    (lambda f: (f / "model.safetensors").unlink(), PortError, r"model\.safetensors: no such file"),
    (lambda f: (f / "tokenizer.json").write_bytes(b"\xff"), TokenizerError, "not UTF-8 at byte 0"),
    (lambda f: (f / "tokenizer.json").write_text("{}"), TokenizerError, r"is not the one .*\(model.json says none\)"),
]


@pytest.mark.parametrize(("spoil", "error", "message"), BAD, ids=[case[-1] for case in BAD])
def test_a_folder_made_to_harm_is_refused_in_one_line(
    spoil: Callable[[Path], Any], error: type[UserError], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "m")
    assert load_model(folder).spec == stack(GPT2_STACK)
    spoil(folder)
    monkeypatch.setattr("stacklab.model.port.links.Transformer", small)
    with pytest.raises(error, match=message) as raised:
        locate(str(folder), tmp_path)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("fields", OWN_STACKS.values(), ids=OWN_STACKS)
def test_every_stack_comes_back_with_its_tokenizer(fields: dict[str, Any], tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m", fields, tokenizer=bytes_tokenizer())
    model = load_model(folder)
    assert model.spec == stack(fields, vocab_size=259)
    assert model.tokenizer is not None and model.tokenizer.text == bytes_tokenizer().text
    assert (model.start_id, model.end_id, model.origin["form"]) == (1, 2, "gpt2")


def test_a_tokenizer_must_be_the_one_the_model_came_with(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m", tokenizer=bytes_tokenizer())
    file = folder / "tokenizer.json"
    file.write_text(file.read_text().replace('"!":33', '"!":34').replace('"\\"":34', '"\\"":33'))
    with pytest.raises(TokenizerError, match="is not the one the model was imported with"):
        load_model(folder)
    other = train_bpe(["a b"] * 9, 300)
    file.write_text(other.text)
    change_record(folder, tokenizer=TokenizerFile("x", other.text, {}).hash)
    with pytest.raises(TokenizerError, match="this is not the model's tokenizer"):
        load_model(folder)
    file.unlink()
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: is missing"):
        load_model(folder)

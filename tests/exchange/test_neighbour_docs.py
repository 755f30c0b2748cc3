"""The programs that the pages of docs/neighbours print."""

import pickle
import re
from pathlib import Path

import pytest
from tests.model.port.conftest import GPT2_STACK, filled, stack, tensors_of

from stacklab.exchange.export import write_files
from stacklab.exchange.import_ import read_file, read_tokenizer_file
from stacklab.exchange.portable import Portable
from stacklab.model.port.gpt2 import GPT2
from stacklab.model.port.registry import FORMS

PAGES = Path(__file__).parents[2] / "docs" / "neighbours"


def block(page: str, mark: str) -> str:
    """The Python block of a page that contains the mark."""
    blocks = re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), flags=re.DOTALL)
    (one,) = [code for code in blocks if mark in code]
    return one


def test_the_page_lists_the_forms_in_the_order_in_which_they_are_tried() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| `(\w+)` \|", (PAGES / "transformers.md").read_text(), flags=re.MULTILINE)
    assert rows == [(form.name, form.architecture) for form in FORMS]


def test_a_gpt2_folder_becomes_a_checkpoint_of_nanogpt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = filled(stack(GPT2_STACK, activation="gelu", d_ff=48))
    (tmp_path / "FOLDER").mkdir()
    write_files(Portable("m", model.spec, tensors_of(model), None, None, None), GPT2, tmp_path / "FOLDER")
    exec(block("nanogpt-mingpt.md", "transposed = "), {})
    read = read_file(tmp_path / "ckpt.pt", tokenizer=None)
    assert all(read.tensors[name].equal(value) for name, value in tensors_of(model).items())
    assert read.spec.activation == "gelu"


def test_letters_of_nanogpt_become_a_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "shakespeare_char"
    folder.mkdir(parents=True)
    letters = {letter: index for index, letter in enumerate("\n abc")}
    (folder / "meta.pkl").write_bytes(pickle.dumps({"stoi": letters}))
    exec(block("nanogpt-mingpt.md", "meta.pkl"), {})
    tokenizer = read_tokenizer_file(tmp_path / "tokenizer.json").load()
    ids = tokenizer.encode("a cab\nb").ids
    assert ids == [letters[letter] for letter in "a cab\nb"]
    assert tokenizer.decode(ids) == "a cab\nb"


def test_every_page_is_in_the_index() -> None:
    index = (PAGES / "README.md").read_text()
    for page in PAGES.glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index

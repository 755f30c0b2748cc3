"""Data that is no regular file is refused at once: a pipe may never be written to, and a device never ends."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stacklab.audit.examine import audit
from stacklab.base.errors import UserError
from stacklab.data.sources.source import open_source
from stacklab.data.sources.spec import FileSpec, TokensSpec
from stacklab.data.spec import BytesTokenizer, DataSpec, FileTokenizer
from stacklab.data.tokenizers.files import read_tokenizer
from stacklab.exchange.import_ import read_foreign, read_tokenizer_file
from stacklab.study.spec.load import read_study
from stacklab.tasks.parts.sequence_file import read_sequences


def data(source: FileSpec | TokensSpec) -> DataSpec:
    tokenizer = FileTokenizer(path="t.json") if isinstance(source, TokensSpec) else BytesTokenizer()
    return DataSpec(source=source, tokenizer=tokenizer, block_size=8)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "records": ("a.jsonl", lambda path: open_source(data(FileSpec(path=str(path))))),
    "text": ("a.txt", lambda path: open_source(data(FileSpec(path=str(path))))),
    "ids": ("a.bin", lambda path: open_source(data(TokensSpec(path=str(path), vocab_size=9)))),
    "sequences": ("a.jsonl", lambda path: read_sequences([str(path)])),
    "arrays": ("a.npz", lambda path: read_sequences([str(path)])),
    "parquet": ("a.parquet", lambda path: read_sequences([str(path)])),
    "tokenizer": ("tokenizer.json", lambda path: read_tokenizer(FileTokenizer(path=str(path)))),
    "tokenizer of a model": ("tokenizer.bin", read_tokenizer_file),
    "model": ("a.pt", read_foreign),
    "model of llama2.c": ("a.bin", read_foreign),
    "log": ("log.txt", lambda path: audit([path])),
    "study": ("a.yaml", lambda path: read_study(str(path), scale="smoke")),
}


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
@pytest.mark.parametrize(("name", "read"), READERS.values(), ids=READERS)
def test_a_reader_refuses(name: str, read: Callable[[Path], object], kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match=rf"{name}: is {kind}, not a regular file"):
        read(path)

"""Small corpora and specs shared by the tests of the data floor."""

import json
from pathlib import Path
from typing import Any

from stacklab.data.spec import DataSpec

WORDS = ("ash", "bay", "cove", "dale", "elm", "fen", "glen", "hill", "isle", "lake", "moor", "oak", "quay", "vale")


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def stories(count: int, *, start: int = 0) -> list[dict[str, str]]:
    """Different texts of about forty bytes."""
    return [
        {"text": " ".join(WORDS[(number * k + k * k) % len(WORDS)] for k in range(1, 9)) + f" {number}."}
        for number in range(start, start + count)
    ]


def spec_of(path: Path | str, **changes: Any) -> DataSpec:
    """Bytes of a file in blocks of 16."""
    plain = {"source": {"kind": "file", "path": str(path)}, "tokenizer": {"kind": "bytes"}, "block_size": 16}
    return DataSpec.model_validate(plain | changes)

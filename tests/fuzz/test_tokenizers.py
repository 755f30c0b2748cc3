"""Tokenizer files: trained ones with edits, read and used."""

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.data.corpora import spec_of, stories, write_jsonl
from tests.fuzz.mutations import damaged_bytes, damaged_tree, fuzzed, read_or_refused

from stacklab.data.prepare import prepare
from stacklab.data.tokenizers.files import train_bpe

TEXT = train_bpe([row["text"] for row in stories(30)], 300).text


def check_text(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokenizer.json")
        path.write_bytes(text)
        corpus = write_jsonl(Path(folder, "rows.jsonl"), [*stories(30)])
        spec = spec_of(corpus, tokenizer={"kind": "file", "path": str(path)})
        read_or_refused(lambda: prepare(spec, cache=Path(folder, "cache")), place="tokenizer.json")


def check_tree(tree: Any) -> None:
    check_text(json.dumps(tree).encode())


test_texts, test_many_texts = fuzzed(check_text, text=damaged_bytes(TEXT.encode()))
test_trees, test_many_trees = fuzzed(check_tree, tree=damaged_tree(json.loads(TEXT)))

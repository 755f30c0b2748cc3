"""Real texts and tokenizers, each told by its own SOURCE.md."""

import csv
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stacklab.data.prepare import prepare
from stacklab.data.prepared import PreparedData
from stacklab.data.spec import DataSpec


@pytest.fixture
def prepared(shared_data: Path, tmp_path: Path) -> Any:
    def of(source: dict[str, object], tokenizer: dict[str, object] | str, **changes: object) -> PreparedData:
        named = {"kind": "file", "path": str(shared_data / tokenizer)} if isinstance(tokenizer, str) else tokenizer
        placed = source | {"path": str(shared_data / str(source["path"]))}
        plain = {"source": placed, "tokenizer": named, "block_size": 128} | changes
        return prepare(DataSpec.model_validate(plain), cache=tmp_path)

    return of


def stream(data: PreparedData, split: str) -> np.ndarray:
    return np.fromfile(data.folder / f"{split}.bin", dtype="<u4" if data.vocab_size > 2**16 else "<u2")


def test_no_duplicate_of_tetralemma_straddles_the_split_and_qwen_is_whole(shared_data: Path, prepared: Any) -> None:
    path = "tetralemma/tetralemma-reasoning-train.csv"
    data = prepared({"kind": "file", "path": path}, "tokenizer-qwen2.5", block_size=512)
    with (shared_data / path).open(newline="", encoding="utf-8") as lines:
        rows = [(row["Question"], row["Reasoning"]) for row in csv.DictReader(lines)]
    assert sum(count - 1 for count in Counter(rows).values()) == data.manifest["records"]["duplicates"] == 25
    whole = {name: data.decode(stream(data, name).tolist()) for name in ("train", "validation")}
    for question, reasoning in set(rows):
        turns = [("user", question), ("assistant", reasoning)]
        text = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns) + "<|endoftext|>"
        assert [whole["train"].count(text), whole["validation"].count(text)] in ([1, 0], [0, 1])
    assert data.vocab_size == 151_665
    assert data.encode("<think>") == [13708, 766, 29]
    assert (data.end_id, data.encode("<|endoftext|>")) == (151_645, [151_643])
    assert data.manifest["splits"]["train"]["share_of_ids_used"] < 0.15


def test_chatml_is_the_form_of_the_tokenizers_own_template(shared_data: Path, tmp_path: Path, prepared: Any) -> None:
    """Pieces encoded one by one equal the whole text encoded at once, as the template's owner does it."""
    from tokenizers import Tokenizer

    some = tmp_path / "some.jsonl"
    with (shared_data / "gsm8k" / "train.jsonl").open(encoding="utf-8") as lines:
        some.write_text("".join(itertools.islice(lines, 500)), encoding="utf-8")
    data = prepared({"kind": "file", "path": str(some)}, "tokenizer-qwen2.5", validation_fraction=0.5)
    own = Tokenizer.from_file(str(shared_data / "tokenizer-qwen2.5" / "tokenizer.json"))
    ids = stream(data, "validation").tolist()
    assert own.encode(data.decode(ids), add_special_tokens=False).ids == ids
    assert data.manifest["source"]["columns_read"] == ["question", "answer"]


def test_a_token_file_equals_its_texts_encoded_again(shared_data: Path, prepared: Any) -> None:
    texts = prepared({"kind": "file", "path": "tinystories/tinystories-a.jsonl"}, "tokenizer-gpt2")
    tokens = {"kind": "tokens", "path": "tinystories/tinystories-a.gpt2-u16.bin", "end_id": 50256}
    ids = prepared(tokens, "tokenizer-gpt2")
    end = [50256]

    def records(data: PreparedData) -> Counter[bytes]:
        both = np.concatenate([stream(data, "train"), stream(data, "validation")])
        return Counter(part.tobytes() for part in np.split(both, np.flatnonzero(both == end) + 1))

    assert records(texts) == records(ids)
    assert ids.manifest["records"]["kept"] == 3117
    totals = [
        [data.manifest["splits"][name]["text_bytes"] for name in ("train", "validation")] for data in (texts, ids)
    ]
    assert sum(totals[0]) == sum(totals[1])  # bytes counted from texts and from decoded ids


def test_plain_text_and_separated_text_load(shared_data: Path, prepared: Any) -> None:
    lines = prepared({"kind": "file", "path": "tinyshakespeare/input.txt"}, {"kind": "bytes"})
    assert 0.99 < lines.train.bytes_per_token < 1
    assert lines.manifest["records"]["kept"] + lines.manifest["records"]["duplicates"] == 7222
    path = shared_data / "tinystories" / "tinystoriesv2-10k-lines.txt"
    source = {"kind": "file", "path": str(path), "separator": "<|endoftext|>"}
    parts = [part for part in path.read_text(encoding="utf-8").split("<|endoftext|>") if part.strip()]
    stories = prepared(source, {"kind": "bytes"})
    assert stories.manifest["records"]["read"] == len(parts)
    assert stories.manifest["warnings"] == []


def test_reasoning_gym_rows_are_questions_and_answers(shared_data: Path, prepared: Any) -> None:
    data = prepared({"kind": "file", "path": "reasoning-gym/rg-dev.jsonl"}, {"kind": "bytes"}, template="plain")
    with (shared_data / "reasoning-gym" / "rg-dev.jsonl").open(encoding="utf-8") as lines:
        first = json.loads(next(lines))
    text = f"User:\n{first['question']}\n\nAssistant:\n{first['answer']}<|endoftext|>"
    assert sum(text in data.decode(stream(data, name).tolist()) for name in ("train", "validation")) == 1
    assert data.manifest["source"]["columns_unread"] == ["task", "seed", "index", "difficulty"]


def test_stories_between_end_of_text_lines_are_one_record_each(shared_data: Path, prepared: Any) -> None:
    name = "tinystories/tinystoriesv2-10k-lines.txt"
    text = (shared_data / name).read_text(encoding="utf-8")
    parts = {part.strip("\n") for part in text.split("<|endoftext|>") if part.strip()}
    data = prepared({"kind": "file", "path": name, "separator": "<|endoftext|>"}, "tokenizer-gpt2", block_size=512)
    told = "".join(data.decode(stream(data, split).tolist()) for split in ("train", "validation"))
    found = told.split("<|endoftext|>")
    assert found.pop() == ""
    assert set(found) <= parts
    assert len(found) == data.manifest["records"]["kept"]
    assert len(parts) - len(found) < 3  # those that differ in blanks alone
    assert data.end_id == 50256
    whole = prepared({"kind": "file", "path": name}, "tokenizer-gpt2", block_size=512)
    assert "give it as source.separator" in whole.manifest["warnings"][0]

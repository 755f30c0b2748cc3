"""What the loss covers: `data.packing` and `data.loss_on`."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.corpora import spec_of, stories, write_jsonl

from stacklab.base.errors import DataError
from stacklab.data.blocks import Blocks
from stacklab.data.cover import Cover
from stacklab.data.prepare import prepare
from stacklab.data.prepared import PreparedData, unigram_loss
from stacklab.data.template import Template

QUESTIONS = [
    {"messages": [{"role": "system", "content": "Be brief."}, *turns]}
    for number in range(40)
    for turns in [
        [
            {"role": "user", "content": f"What is {number}?"},
            {"role": "assistant", "content": f" Grüße,\nit is {number}. "},
            {"role": "user", "content": "Sure?"},
            {"role": "assistant", "content": f"Yes {number}."},
        ]
    ]
]


def prepared(tmp_path: Path, rows: list[Any] = QUESTIONS, **changes: Any) -> PreparedData:
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    return prepare(spec_of(path, validation_fraction=0.3, **changes), cache=tmp_path / "cache")


def whole(data: PreparedData) -> tuple[list[int], Cover]:
    return data.train.stream.tolist(), data.train.cover


def runs_of_targets(data: PreparedData) -> list[str]:
    """The text of each run of successive targets."""
    stream, cover = whole(data)
    kept = cover.targets(np.arange(len(stream))[None])
    assert kept is not None
    edges = np.flatnonzero(np.diff(np.concatenate(([0], kept[0], [0]))))
    return [data.decode(stream[begin:end]) for begin, end in edges.reshape(-1, 2)]


ANSWERS: dict[Template, tuple[str, str]] = {
    "chatml": ("{}<|im_end|>", "{}<|im_end|>"),
    "plain": ("{}", "{}<|endoftext|>"),
}


@pytest.mark.parametrize("tokenizer", [{"kind": "bytes"}, {"kind": "bpe", "vocab_size": 300}], ids=str)
@pytest.mark.parametrize("template", ANSWERS)
def test_answers_are_what_assistants_say_and_the_marker_that_ends_it(
    template: Template, tokenizer: dict[str, Any], tmp_path: Path
) -> None:
    data = prepared(tmp_path, loss_on="answers", template=template, tokenizer=tokenizer)
    runs, (first, last) = runs_of_targets(data), ANSWERS[template]
    numbers = [run.split("Yes ")[1].split(".")[0] for run in runs[1::2]]
    assert runs[1::2] == [last.format(f"Yes {number}.") for number in numbers]
    wanted = [first.format(f" Grüße,\nit is {number}. ") for number in numbers]
    # A token may reach from the header into the answer, or from there into what follows.
    assert [run.strip() for run in runs[::2]] == [text.strip() for text in wanted]
    assert (numbers == sorted(numbers, key=int)) and len(numbers) > 20
    everything = prepared(tmp_path, template=template, tokenizer=tokenizer)
    assert everything.train.stream.tolist() == data.train.stream.tolist()
    assert everything.fingerprint != data.fingerprint


def test_bits_per_byte_count_the_bytes_of_targets(tmp_path: Path) -> None:
    data = prepared(tmp_path, loss_on="answers")
    facts = data.manifest["splits"]["train"]
    runs = runs_of_targets(data)
    said = sum(len(run.removesuffix("<|im_end|>").encode()) for run in runs)
    assert facts["targets"] == said + len(runs)
    assert data.train.bytes_per_token == facts["bytes_per_target"] == said / facts["targets"]


def test_documents_know_where_their_records_begin(tmp_path: Path) -> None:
    rows = [{"text": "ü" + story["text"]} for story in stories(100)]
    data = prepared(tmp_path, rows, packing="documents")
    stream, cover = whole(data)
    assert cover.starts is not None
    ends = [place + 1 for place, token in enumerate(stream) if token == data.end_id]
    assert cover.starts.tolist() == [0, *ends[:-1]]
    facts, plain = data.manifest["splits"]["train"], prepared(tmp_path, rows).manifest["splits"]["train"]
    assert facts["targets"] == plain["tokens"] - plain["records"]
    # The first token of a record is one of the two bytes of its first letter.
    assert facts["bytes_per_target"] * facts["targets"] == pytest.approx(plain["text_bytes"] - plain["records"])


def test_positions_begin_with_a_record_or_with_the_block() -> None:
    blocks = Blocks(np.arange(13), 4, 1.0, Cover(np.array([0, 2, 7, 8])))
    every = np.arange(3)
    positions, targets = blocks.positions(every), blocks.targets(every)
    assert positions is not None and targets is not None
    assert positions.tolist() == [[0, 1, 0, 1], [0, 1, 2, 0], [0, 1, 2, 3]]
    assert targets.tolist() == [[True, False, True, True], [True, True, False, False], [True, True, True, True]]
    both = Blocks(np.arange(13), 4, 1.0, Cover(np.array([0, 2, 7, 8]), np.array([1, 0] * 6 + [1], dtype=np.uint8)))
    assert [int(token) for token in both.target_ids(1, 13)] == [4, 6, 10, 12]
    plain = Blocks(np.arange(13), 4, 1.0)
    assert plain.positions(every) is None and plain.targets(every) is None


def test_the_unigram_model_predicts_the_same_targets(tmp_path: Path) -> None:
    rows = [{"prompt": "abcdefgh" * 3 + str(number), "response": "x" * 20 + f"{number:03d}"} for number in range(60)]
    data = prepared(tmp_path, rows, loss_on="answers")
    assert unigram_loss(data) < 0.5 * math.log(8) < unigram_loss(prepared(tmp_path, rows))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": {"kind": "file", "path": "a.txt"}, "packing": "documents"}, "found a running text"),
        ({"source": {"kind": "file", "path": "a.txt"}, "loss_on": "answers"}, "needs records with turns"),
    ],
)
def test_what_has_no_records_or_turns_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spec_of("", **changes)


def test_records_without_answers_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no text of the training split is a target .* set data\.loss_on=all"):
        prepared(tmp_path, list(stories(60)), loss_on="answers")


def test_the_settings_are_left_out_of_dumps_at_their_defaults() -> None:
    spec = spec_of("a.jsonl")
    assert not {"packing", "loss_on"} & spec.dump().keys()
    assert spec.complete() | {"packing": "stream", "loss_on": "all"} == spec.complete()

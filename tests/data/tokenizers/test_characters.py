"""An id per character, and running text that is read as it stands."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.data.corpora import spec_of, write_jsonl

from stacklab.base.errors import DataError
from stacklab.data.prepare import prepare
from stacklab.data.prepared import PreparedData

CHARACTERS = {"kind": "characters"}
TEXT = "To be,\nor not.\n\n\nTo be,\nor not.\n" * 20 + "  The rest\tis ⟨silence⟩ – naïve 🎭.\n" * 8
"""Blank lines, blanks and paragraphs that occur more than once are part of it. Its last tenth has no characters of its
own."""


def prepared(folder: Path, text: str = TEXT, **changes: Any) -> PreparedData:
    (folder / "input.txt").write_text(text, encoding="utf-8", newline="")
    spec = spec_of(folder / "input.txt", tokenizer=CHARACTERS, **changes)
    return prepare(spec, cache=folder / "cache")


def texts(data: PreparedData) -> tuple[str, str]:
    return data.decode(data.train.stream.tolist()), data.decode(data.held_out("validation").stream.tolist())


def test_a_running_text_is_read_as_it_stands(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    letters = sorted(set(TEXT))
    cut = int(0.9 * len(TEXT))
    assert texts(data) == (TEXT[:cut], TEXT[cut:])
    assert data.vocab_size == len(letters)
    assert data.train.stream.tolist() == [letters.index(letter) for letter in TEXT[:cut]]
    assert (data.end_id, data.manifest["tokenizer"]["marker_ids"]) == (None, {})
    facts = data.manifest["splits"]
    assert facts["train"]["text_bytes"] + facts["validation"]["text_bytes"] == len(TEXT.encode())
    assert facts["validation"]["unknown_tokens"] == 0
    assert not any("unknown" in warning or "nowhere" in warning for warning in data.manifest["warnings"])


def test_line_ends_are_line_feeds(tmp_path: Path) -> None:
    data = prepared(tmp_path, TEXT.replace("\n", "\r\n").removesuffix("\r\n"))
    assert "".join(texts(data)) == TEXT


def test_characters_that_only_held_out_text_has_share_one_id_and_are_counted(tmp_path: Path) -> None:
    data = prepared(tmp_path, TEXT + "ÄÖÄ")
    letters = sorted(set(TEXT))
    assert data.vocab_size == len(letters) + 1
    assert texts(data)[1].endswith("\ufffd\ufffd\ufffd\n")
    assert data.manifest["splits"]["validation"]["unknown_tokens"] == 3
    (warning,) = [one for one in data.manifest["warnings"] if "nowhere" in one]
    assert warning.startswith(
        f"3 characters of held-out text occur nowhere in the training text; they share the id {len(letters)}"
    )
    assert data.encode("TÄ") == [letters.index("T"), len(letters)]


def test_a_prompt_with_a_character_without_an_id_is_refused(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    letters = sorted(set(TEXT))
    assert data.encode("To be") == [letters.index(letter) for letter in "To be"]
    with pytest.raises(
        DataError, match=r"prompt 'Öl': the character 'Ö' has no id, since it occurs nowhere in the training"
    ):
        data.encode("Öl")


def test_what_spells_a_marker_is_text(tmp_path: Path) -> None:
    data = prepared(tmp_path, ("<|endoftext|>" + TEXT) * 2)
    assert texts(data)[0].startswith("<|endoftext|>To be")
    assert len(data.encode("<|endoftext|>")) == 13


def test_records_keep_their_markers(tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {number}?", "response": f"It is {number}."} for number in range(100, 200)]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    data = prepare(spec_of(path, tokenizer=CHARACTERS), cache=tmp_path / "cache")
    letters = set("What is?It is.0123456789userassistant\n")
    assert data.vocab_size == len(letters) + 3
    assert data.end_id == data.manifest["tokenizer"]["marker_ids"]["<|im_end|>"]
    assert texts(data)[0].startswith("<|im_start|>user\nWhat is 1")
    stories = write_jsonl(tmp_path / "b.jsonl", [{"text": f"Story {number}."} for number in range(100, 200)])
    data = prepare(spec_of(stories, tokenizer=CHARACTERS), cache=tmp_path / "cache")
    assert data.manifest["tokenizer"]["marker_ids"] == {"<|endoftext|>": data.end_id}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": "compact"}, "characters are those of the training split already"),
        ({"validation": {"kind": "hash"}}, "reads a running text as one record"),
        ({"record_stride": 2}, "reads a running text as one record"),
        (
            {"validation": {"kind": "file", "path": "b.jsonl", "format": "jsonl"}},
            "a stretch or another running txt file",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        spec_of("a.txt", tokenizer=CHARACTERS, **changes)


def test_another_file_may_be_held_out(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("To be, or not to be?\nTo be.\n", encoding="utf-8")
    data = prepared(tmp_path, validation={"kind": "file", "path": str(tmp_path / "val.txt")})
    assert texts(data) == (TEXT, "To be, or not to be\ufffd\nTo be.\n")


def test_tiny_shakespeare_is_that_of_nanogpt(shared_data: Path, tmp_path: Path) -> None:
    """The numbers are those that nanoGPT's prepare.py states in its last lines."""
    path = shared_data / "tinyshakespeare" / "input.txt"
    data = prepare(spec_of(path, tokenizer=CHARACTERS), cache=tmp_path)
    assert data.vocab_size == 65
    assert (len(data.train.stream), len(data.held_out("validation").stream)) == (1_003_854, 111_540)
    assert data.train.stream[:5].tolist() == [18, 47, 56, 57, 58]  # "First"

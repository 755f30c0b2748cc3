"""Held-out stretches of running text, as nanoGPT's recipe has them, and validation data of their own."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.corpora import spec_of, stories, write_jsonl

from stacklab.base.errors import DataError
from stacklab.data.prepare import prepare
from stacklab.data.prepared import PreparedData
from stacklab.data.spec import DataSpec
from stacklab.data.tokenizers.files import bytes_tokenizer
from stacklab.run.resolve_data import resolve_data

IDS = np.random.default_rng(0).integers(0, 256, 11 * 1024 + 7).tolist()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tokenizer.json").write_text(bytes_tokenizer().text, encoding="utf-8")
    write_ids("train.bin", IDS)


def write_ids(name: str, ids: list[int]) -> None:
    np.array(ids, dtype="<u2").tofile(name)


def tokens(**changes: Any) -> DataSpec:
    source = {"kind": "tokens", "path": "train.bin"}
    return spec_of("", source=source, tokenizer={"kind": "file", "path": "tokenizer.json"}, **changes)


def prepared(spec: DataSpec) -> PreparedData:
    return prepare(spec, cache=Path("cache"))


def streams(data: PreparedData) -> dict[str, list[int]]:
    names = ("train", "tuning", "validation")
    return {name: data._blocks(name).stream.tolist() for name in names if (data.folder / f"{name}.bin").exists()}


def test_a_running_text_holds_out_the_tenth_that_nanogpts_recipe_holds_out() -> None:
    data = prepared(tokens())
    cut = int(len(IDS) * 0.9)
    assert streams(data) == {"train": IDS[:cut], "validation": IDS[cut:]}
    assert data.manifest["held_out"] == "the end of the text, one stretch of 0.1 of its length"
    assert data.manifest["records"]["kept"] == 12  # a piece that is cut is one


def test_the_tuning_split_lies_between_training_and_validation() -> None:
    parts = streams(prepared(tokens(tuning_fraction=0.2, validation_fraction=0.25)))
    assert list(parts) == ["train", "tuning", "validation"]
    assert [*parts["train"], *parts["tuning"], *parts["validation"]] == IDS
    assert [len(part) / len(IDS) for part in parts.values()] == pytest.approx([0.55, 0.2, 0.25], abs=2 / len(IDS))


def test_the_start_may_be_held_out_instead() -> None:
    parts = streams(prepared(tokens(validation={"kind": "stretch", "place": "start"}, tuning_fraction=0.1)))
    assert [*parts["validation"], *parts["tuning"], *parts["train"]] == IDS
    assert len(parts["validation"]) == len(IDS) - int(0.9 * len(IDS))


def test_pieces_by_hash_lie_between_training_pieces_and_keep_the_fingerprint_of_earlier_versions() -> None:
    by_hash = prepared(tokens(validation={"kind": "hash"}))
    assert by_hash.fingerprint == "479d4e97c3ce501e"  # that of the version before stretches
    assert by_hash.manifest["held_out"].startswith("records that a hash")
    assert streams(by_hash)["validation"] != IDS[-len(streams(by_hash)["validation"]) :]


def test_paragraphs_of_a_text_file_are_one_text_and_records_between_separators_are_not() -> None:
    texts = [story["text"] for story in stories(100)]
    Path("a.txt").write_text("\n\n".join(texts), encoding="utf-8")
    data = prepared(spec_of("a.txt"))
    whole = data.decode([*streams(data)["train"], *streams(data)["validation"]]).replace("<|endoftext|>", "")
    assert whole == "".join(texts)
    assert data.decode(streams(data)["validation"]).endswith(texts[-1] + "<|endoftext|>")
    records = prepared(spec_of("", source={"kind": "file", "path": "a.txt", "separator": "\n\n"}))
    assert records.manifest["held_out"].startswith("records that a hash")


def test_a_file_of_its_own_is_the_validation_split_and_may_be_moved() -> None:
    write_ids("val.bin", IDS[:50][::-1])
    data = prepared(tokens(validation={"kind": "file", "path": "val.bin"}))
    assert streams(data) == {"train": IDS, "validation": IDS[:50][::-1]}
    assert data.manifest["held_out"] == "all of val.bin, apart from the training data"
    assert data.manifest["source"]["validation"]["kind"] == "tokens"
    shutil.move("val.bin", "other.bin")
    assert prepared(tokens(validation={"kind": "tokens", "path": "other.bin"})).fingerprint == data.fingerprint
    write_ids("other.bin", IDS[:51])
    assert prepared(tokens(validation={"kind": "tokens", "path": "other.bin"})).fingerprint != data.fingerprint


def test_records_of_the_validation_file_are_not_trained_on() -> None:
    source = {"kind": "file", "path": str(write_jsonl(Path("a.jsonl"), stories(60)))}
    write_jsonl(Path("b.jsonl"), [{"text": "A new one."}, *stories(5), {"text": "A new one."}])
    data = prepared(spec_of("", source=source, validation={"kind": "file", "path": "b.jsonl"}, tuning_fraction=0.2))
    assert data.decode(streams(data)["validation"]).startswith("A new one.<|endoftext|>")
    counts = data.manifest["records"]
    assert (counts["validation"], counts["train"] + counts["tuning"], counts["duplicates"]) == (6, 55, 6)
    warning = "5 records of the source are also in the validation data; training leaves them out"
    assert warning in data.manifest["warnings"]


def test_a_validation_source_inherits_what_it_does_not_state() -> None:
    source = {"kind": "hub", "id": "a/b", "columns": {"text": "body"}}
    own = spec_of("", source=source, validation={"kind": "hub", "split": "test"}).validation
    assert own is not None
    assert own.dump() == spec_of("", source=source | {"split": "test"}).source.dump()


def test_a_run_states_the_stretch_and_one_that_states_nothing_is_as_it_was() -> None:
    spec = tokens()
    assert "validation" not in spec.dump()
    assert spec.settled.dump() == spec.dump() | {"validation": {"kind": "stretch", "place": "end"}}
    assert spec.settled.fingerprint != spec.fingerprint
    records = spec_of("a.jsonl")
    assert records.settled == records
    facts = resolve_data(spec, cache=Path("cache"), ask=False)
    assert facts.fingerprint == resolve_data(spec.settled, cache=Path("cache"), ask=False).fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": {"kind": "stretch"}, "source": {"kind": "procedural-cot"}}, "is for running text"),
        ({"validation": {"kind": "file", "path": "a.txt"}, "source": {"kind": "hub", "id": "a/b"}}, None),
        ({"validation": {"kind": "tokens", "path": "a"}, "source": {"kind": "hub", "id": "a/b"}}, "both must be text"),
    ],
)
def test_what_cannot_be_held_out_is_refused(changes: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert spec_of("", **changes).has_own_validation
        return
    with pytest.raises(ValueError, match=message):
        spec_of("", **changes)


def test_a_seed_cannot_move_a_stretch() -> None:
    with pytest.raises(DataError, match=r"data\.split_seed = 3: a running text holds out a stretch, which no seed"):
        prepared(tokens(split_seed=3))


def test_a_missing_or_foreign_validation_file_is_named() -> None:
    with pytest.raises(DataError, match=r"val\.bin: no such file"):
        prepared(tokens(validation={"kind": "file", "path": "val.bin"}))
    write_ids("val.bin", [1, 2, 300])
    with pytest.raises(DataError, match=r"val\.bin: token 2 is id 300, expected ids below 259"):
        prepared(tokens(validation={"kind": "file", "path": "val.bin"}))

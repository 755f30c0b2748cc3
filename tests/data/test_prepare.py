import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.data.corpora import spec_of, stories, write_jsonl

from stacklab.base.errors import DataError, DiskError, TokenizerError
from stacklab.base.files import read_json
from stacklab.base.folders import remove_unfinished
from stacklab.data.batches import probe_indices
from stacklab.data.integrity import write_manifest
from stacklab.data.prepare import prepare
from stacklab.data.prepared import PreparedData, load_prepared, prepared_folder
from stacklab.data.spec import DataSpec


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "corpus.jsonl", stories(200))


def texts_of(data: PreparedData, split: str) -> list[str]:
    whole = np.fromfile(data.folder / f"{split}.bin", dtype="<u2")
    return data.decode(whole.tolist()).split("<|endoftext|>")[:-1]


def test_the_streams_hold_every_record_once_and_the_manifest_counts_them(corpus: Path, tmp_path: Path) -> None:
    data = prepare(spec_of(corpus), cache=tmp_path / "cache")
    train, validation = texts_of(data, "train"), texts_of(data, "validation")
    wanted = [story["text"] for story in stories(200)]
    assert sorted(train + validation) == sorted(wanted)
    assert [text for text in wanted if text in set(train)] == train  # the order of the file
    told = data.manifest["splits"]["train"]
    tokens = sum(len(text.encode()) + 1 for text in train)
    assert (told["records"], told["tokens"], told["text_bytes"]) == (len(train), tokens, tokens - len(train))
    assert told["tokens_per_epoch"] == data.train.num_blocks * 16 <= tokens - 1 < (data.train.num_blocks + 1) * 16
    assert data.train.bytes_per_token == (tokens - len(train)) / tokens
    assert told["ids_used"] == len(set("".join(train))) + 1
    assert told["share_of_ids_used"] == told["ids_used"] / 259
    assert (data.vocab_size, data.block_size, data.end_id) == (259, 16, 256)
    assert data.manifest["source"]["columns_read"] == ["text"]


def test_the_fingerprint_is_of_contents_not_of_paths(corpus: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    data = prepare(spec_of(corpus), cache=cache)
    moved = tmp_path / "elsewhere" / "moved.jsonl"
    moved.parent.mkdir()
    shutil.copy(corpus, moved)
    built = (data.folder / "manifest.json").stat().st_mtime_ns
    again = prepare(spec_of(moved), cache=cache)
    assert again.fingerprint == data.fingerprint
    assert prepare(spec_of(corpus, sequences="windows"), cache=cache).fingerprint == data.fingerprint
    assert (data.folder / "manifest.json").stat().st_mtime_ns == built
    assert str(tmp_path) not in (data.folder / "manifest.json").read_text()
    write_jsonl(moved, [*stories(200), {"text": "one more"}])
    others = [
        spec_of(moved),
        spec_of(corpus, block_size=8),
        spec_of(corpus, split_seed=1),
        spec_of(corpus, validation_fraction=0.2),
        spec_of(corpus, template="plain"),
        spec_of(corpus, vocabulary="compact"),
        spec_of(corpus, tokenizer={"kind": "bpe", "vocab_size": 270}),
    ]
    found = {prepare(spec, cache=cache).fingerprint for spec in others}
    assert len(found | {data.fingerprint}) == len(others) + 1


def test_a_worker_loads_what_was_prepared_without_the_source(corpus: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    data = prepare(spec_of(corpus), cache=cache)
    corpus.unlink()
    loaded = load_prepared(prepared_folder(cache, data.fingerprint))
    every = np.arange(data.train.num_blocks)
    assert (loaded.train.get(every) == data.train.get(every)).all()
    assert loaded.decode(loaded.encode("ash bay")) == "ash bay"
    with pytest.raises(DataError, match="run the command again"):
        load_prepared(prepared_folder(cache, "0" * 16))


@pytest.mark.parametrize("name", ["train.bin", "tokenizer.json", "manifest.json", "problems.jsonl"])
@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_a_damaged_folder_is_rebuilt_never_read(corpus: Path, tmp_path: Path, name: str, damage: str) -> None:
    data = prepare(spec_of(corpus), cache=tmp_path / "cache")
    path, whole = data.folder / name, (data.folder / name).read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" and whole else whole.replace(b"6", b"7") + b"\n")
    with pytest.raises(DataError, match="no usable prepared data"):
        load_prepared(data.folder)
    assert (prepare(spec_of(corpus), cache=tmp_path / "cache").folder / name).read_bytes() == whole


def test_one_changed_byte_is_found_when_preparing(corpus: Path, tmp_path: Path) -> None:
    data = prepare(spec_of(corpus), cache=tmp_path / "cache")
    path, whole = data.folder / "train.bin", (data.folder / "train.bin").read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    prepare(spec_of(corpus), cache=tmp_path / "cache")
    assert path.read_bytes() == whole


PREPARE = """
import json, sys, time
from pathlib import Path
from stacklab.data.prepare import prepare
from stacklab.data.spec import DataSpec
spec, cache, go = DataSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
print("ready", flush=True)
while not go.exists():
    time.sleep(0.01)
data = prepare(spec, cache=cache)
print(data.fingerprint, (data.folder / "manifest.json").stat().st_ino)
"""


def test_two_processes_that_ask_at_once_build_it_once(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "corpus.jsonl", stories(3000))
    spec = spec_of(corpus, tokenizer={"kind": "bpe", "vocab_size": 400})
    arguments = [spec.model_dump_json(), str(tmp_path / "cache"), str(tmp_path / "go")]
    command = [sys.executable, "-c", PREPARE, *arguments]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    printed = [child.communicate(timeout=60)[0] for child in children]
    assert printed[0] == printed[1] != ""  # one manifest, written once
    kept = sorted(path.name for path in (tmp_path / "cache" / "prepared").iterdir())
    assert kept == [".locks", printed[0].split()[0]]


def test_what_a_killed_builder_left_is_removed(corpus: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    key = prepare(spec_of(corpus), cache=cache).fingerprint
    half = cache / "prepared" / f".{key}.abc.stacklab.part"
    prepared_folder(cache, key).rename(half)
    remove_unfinished.cache_clear()  # as in a new process
    prepare(spec_of(corpus), cache=cache)
    assert not half.exists()


def test_a_tokenizer_is_trained_on_the_training_split_alone(tmp_path: Path) -> None:
    bpe = {"kind": "bpe", "vocab_size": 300}
    first = prepare(spec_of(write_jsonl(tmp_path / "a.jsonl", stories(200)), tokenizer=bpe), cache=tmp_path / "cache")
    kept = texts_of(first, "train")
    held_out = texts_of(first, "validation")
    rows = [{"text": text} for text in kept + held_out]
    for row in rows[len(kept) :]:
        assert row["text"] in held_out
    without = prepare(
        spec_of(write_jsonl(tmp_path / "b.jsonl", [*rows[: len(kept)], rows[-1]]), tokenizer=bpe, block_size=2),
        cache=tmp_path / "cache",
    )
    assert without.manifest["tokenizer"]["hash"] == first.manifest["tokenizer"]["hash"]
    assert without.manifest["records"]["validation"] == 1


def test_problems_are_held_out_and_never_asked_in_training(tmp_path: Path) -> None:
    def row(number: int, system: str) -> dict[str, object]:
        turns = [("system", system), ("user", f"What is {number}?"), ("assistant", f"<think>x</think>It is {number}.")]
        messages = [{"role": role, "content": content} for role, content in turns]
        return {"messages": messages, "answer": str(number), "hops": number % 3, "family": "echo"}

    rows = [row(number, "s") for number in range(60)] + [row(number, "t") for number in range(30)]
    spec = spec_of(write_jsonl(tmp_path / "a.jsonl", rows), validation_fraction=0.3)
    data = prepare(spec, cache=tmp_path / "cache")
    trained = data.decode(np.fromfile(data.folder / "train.bin", dtype="<u2").tolist())
    questions = [problem.prompt_text.split("user\n")[1] for problem in data.problems]
    assert len(questions) == len(set(questions)) == data.manifest["problems"] > 5
    assert not any(question.split("<|im_end|>")[0] + "<|im_end|>" in trained for question in questions)
    assert data.manifest["shared_questions"] > 0
    assert any("ask a question of the training split" in warning for warning in data.manifest["warnings"])
    problem = data.problems[0]
    number = problem.answer
    asked = f"<|im_start|>user\nWhat is {number}?<|im_end|>\n<|im_start|>assistant\n"
    assert problem.prompt_text in {f"<|im_start|>system\n{system}<|im_end|>\n{asked}" for system in "st"}
    assert (problem.assistant_text, problem.family) == (f"<think>x</think>It is {number}.", "echo")
    assert problem.hops == int(number) % 3
    assert data.end_id == 258  # a conversation ends its turn; a text ends its record


def test_the_embedded_corpus_gives_problems_for_every_number_of_hops(tmp_path: Path) -> None:
    plain = {
        "source": {"kind": "procedural-cot", "records": 600},
        "tokenizer": {"kind": "bpe", "vocab_size": 512},
        "block_size": 64,
    }
    data = prepare(DataSpec.model_validate(plain), cache=tmp_path)
    assert {problem.hops for problem in data.problems} == {1, 2, 3, 4}
    for problem in data.problems[:20]:
        ids = data.encode(problem.prompt_text)
        assert data.decode(ids) == problem.prompt_text
        assert ids.count(data.encode("<|im_start|>")[0]) == 3


def test_a_compact_vocabulary_holds_what_training_uses_and_the_unknown(tmp_path: Path) -> None:
    rows = [*stories(200), *({"text": letter * 40} for letter in "àáâãäåæçèéêëìíîï")]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    full = prepare(spec_of(path, validation_fraction=0.5), cache=tmp_path / "cache")
    compact = prepare(spec_of(path, validation_fraction=0.5, vocabulary="compact"), cache=tmp_path / "cache")
    used = full.manifest["splits"]["train"]["ids_used"]
    assert compact.vocab_size == used + 1 == compact.manifest["unknown_id"] + 1
    every = np.arange(full.train.num_blocks)
    assert compact.decode(compact.train.get(every).ravel()) == full.decode(full.train.get(every).ravel())
    assert sorted(set(np.fromfile(compact.folder / "train.bin", dtype="<u2").tolist())) == list(range(used))
    stream = np.fromfile(compact.folder / "validation.bin", dtype="<u2")
    unknown = compact.manifest["splits"]["validation"]["unknown_tokens"]
    assert (stream == compact.vocab_size - 1).sum() == unknown > 0
    assert any("vocabulary is compact" in warning for warning in compact.manifest["warnings"])


def test_the_probe_belongs_to_the_data(corpus: Path, tmp_path: Path) -> None:
    data = prepare(spec_of(corpus), cache=tmp_path / "cache")
    other = prepare(spec_of(corpus, split_seed=1), cache=tmp_path / "cache")
    probe = probe_indices(data, count=50)
    assert (probe == probe_indices(load_prepared(data.folder), count=50)).all()
    assert len(set(probe.tolist())) == 50
    assert (np.diff(probe) > 0).all()
    assert probe.tolist() != probe_indices(other, count=50).tolist()
    assert probe_indices(data, count=10**6).tolist() == list(range(data.train.num_blocks))


FIELD = [
    {"instruction": "Name the fox.", "output": "The fox."},
    *(
        {"instruction": f"Sum up {number}.", "input": "Long ago over the hill. " * 2, "output": f"owl {number}"}
        for number in range(30)
    ),
]


def test_exchanged_rows_lead_to_the_same_tokens(tmp_path: Path) -> None:
    swapped = [FIELD[1], FIELD[0], *FIELD[2:]]
    made = [
        prepare(spec_of(write_jsonl(tmp_path / "a.jsonl", rows), validation_fraction=0.4), cache=tmp_path / "cache")
        for rows in (FIELD, swapped)
    ]
    for split in ("train", "validation"):
        assert sorted(texts_of(made[0], split)) == sorted(texts_of(made[1], split))
    assert "Long ago" in texts_of(made[0], "train")[-1]
    assert made[0].manifest["source"]["columns"]["input"] == {"rows": 30, "used": 30, "characters": 30 * 48}


def test_rows_that_are_read_otherwise_than_before_have_another_fingerprint(tmp_path: Path) -> None:
    """The fingerprints are those of format 1, which the first row alone decided: only where the data are the same may
    its runs be resumed."""
    both = {"question": "How many?", "answer": "One, as far as I can see from here."}
    known = {
        "alike": ([both | {"answer": f"{both['answer']} {number}"} for number in range(40)], "0b69ed2652739048"),
        "reasoning": (
            [both | {"question": f"How many, {number}?", "reasoning": f"I count {number}."} for number in range(40)],
            "63323ea47539dfd0",
        ),
        "first": (FIELD, "1495e639e9bff09f"),
        "swapped": (FIELD[::-1], "e297a2f7858c0f76"),
    }
    same = {
        name: prepare(
            spec_of(write_jsonl(tmp_path / "a.jsonl", rows), validation_fraction=0.4), cache=tmp_path / "cache"
        ).fingerprint
        == fingerprint
        for name, (rows, fingerprint) in known.items()
    }
    assert same == {"alike": True, "reasoning": False, "first": False, "swapped": True}


def test_a_folder_of_an_older_layout_is_built_again_under_its_fingerprint(corpus: Path, tmp_path: Path) -> None:
    data = prepare(spec_of(corpus), cache=tmp_path / "cache")
    older = {key: value for key, value in data.manifest.items() if key not in ("layout", "sum")}
    write_manifest(data.folder, older)
    again = prepare(spec_of(corpus), cache=tmp_path / "cache")
    assert (again.folder, again.manifest) == (data.folder, data.manifest)


def test_reasoning_stands_between_the_marks_of_the_template(tmp_path: Path) -> None:
    rows = [{"question": f"How many, {number}?", "reasoning": "I count.", "answer": "1"} for number in range(40)]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    for template, text in {
        "chatml": "<|im_start|>assistant\n<think>\nI count.\n</think>\n1<|im_end|>",
        "plain": "Assistant:\nI count.\n\n1",
    }.items():
        data = prepare(spec_of(path, template=template), cache=tmp_path / "cache")
        assert text in texts_of(data, "train")[0]
        assert data.manifest["source"]["columns_unread"] == []


def test_text_that_is_not_read_is_a_warning_with_its_share(tmp_path: Path) -> None:
    rows = [{"text": story["text"], "title": "ten chars."} | {f"n{k}": "a" for k in range(6)} for story in stories(90)]
    data = prepare(spec_of(write_jsonl(tmp_path / "a.jsonl", rows)), cache=tmp_path / "cache")
    columns = data.manifest["source"]["columns"]
    share = 900 / sum(column["characters"] for column in columns.values())
    assert data.manifest["warnings"][0].startswith(
        f"columns with text that are not read, with their share of all characters: title ({share:.0%}), n0 (2%)"
    )
    assert " and 2 more; data.source.columns names" in data.manifest["warnings"][0]
    assert (columns["title"]["rows"], columns["title"]["used"]) == (90, 0)


def test_skipped_rows_and_replaced_halves_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_jsonl(path, stories(90))
    with path.open("ab") as handle:
        handle.write(b'{"text": null}\n{"te\n{"text": "an owl \\ud83d and a fox"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:91: text is null, expected text; 3 of 93 rows are broken"):
        prepare(spec_of(path), cache=tmp_path / "cache")
    source = {"kind": "file", "path": str(path), "skip": "broken", "surrogates": "replace"}
    for tokenizer in ({"kind": "bytes"}, {"kind": "bpe", "vocab_size": 300}):
        manifest = prepare(spec_of("", source=source, tokenizer=tokenizer), cache=tmp_path / "cache").manifest
        assert (manifest["records"]["read"], manifest["records"]["skipped"]) == (91, 2)
        assert manifest["source"]["skipped"] == {"text is null": 1, "not JSON": 1}
        assert manifest["warnings"][:2] == [
            "2 of 93 rows left out as broken (source.skip): not JSON in 1, text is null in 1",
            "U+FFFD stands for 1 half of a surrogate pair (source.surrogates)",
        ]


def test_warnings_name_a_small_validation_split_a_small_vocabulary_and_spelled_markers(tmp_path: Path) -> None:
    rows = [*stories(300), {"text": "a story <|endoftext|> and another one, quite long"}]
    bpe = {"kind": "bpe", "vocab_size": 5000}
    spec = spec_of(write_jsonl(tmp_path / "a.jsonl", rows), tokenizer=bpe, validation_fraction=0.009, split_seed=2)
    told = " / ".join(prepare(spec, cache=tmp_path / "cache").manifest["warnings"])
    assert "the validation split has only" in told
    assert "of the tokens, less than 1%" in told
    assert "1 records spell a marker" in told
    assert "of the 5000 ids asked for" in told


def test_a_corpus_too_short_says_how_many_tokens_there_are_and_are_needed(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", stories(12))
    with pytest.raises(
        DataError, match=r"a\.jsonl: the training split has \d+ tokens \(\d+ of 12 records\), .* needs 1001"
    ):
        prepare(spec_of(path, block_size=1000), cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"validation split has 0 tokens .* raise data\.validation_fraction"):
        prepare(spec_of(path, validation_fraction=1e-9), cache=tmp_path / "cache")
    assert not [entry for entry in (tmp_path / "cache" / "prepared").iterdir() if entry.name != ".locks"]


@pytest.mark.parametrize("content", ["", "\n\n", '{"text": " "}\n'])
def test_an_empty_corpus_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    for tokenizer in ({"kind": "bytes"}, {"kind": "bpe", "vocab_size": 300}):
        with pytest.raises(DataError, match=r"a\.jsonl: the corpus is empty"):
            prepare(spec_of(path, tokenizer=tokenizer), cache=tmp_path / "cache")


def test_a_broken_record_leaves_nothing_behind(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", stories(700))
    path.write_bytes(path.read_bytes() + b"{\n")
    with pytest.raises(DataError, match=r"a\.jsonl:701:2: not JSON"):
        prepare(spec_of(path), cache=tmp_path / "cache")
    assert [entry.name for entry in (tmp_path / "cache" / "prepared").iterdir()] == [".locks"]


def test_a_cache_that_cannot_be_written_is_named(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(DiskError, match="cannot write"):
        prepare(spec_of(corpus), cache=tmp_path / "cache")


def test_the_error_of_a_tokenizer_comes_before_any_work(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"no such file"):
        prepare(spec_of(corpus, tokenizer={"kind": "file", "path": "none.json"}), cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_manifest_is_strict_json(corpus: Path, tmp_path: Path) -> None:
    data = prepare(spec_of(corpus), cache=tmp_path / "cache")
    assert read_json(data.folder / "manifest.json") == data.manifest

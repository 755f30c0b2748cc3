from pathlib import Path

import numpy as np
import pytest
from tests.data.corpora import spec_of, stories

from stacklab.base.errors import DataError
from stacklab.data.prepare import prepare
from stacklab.data.spec import DataSpec
from stacklab.data.tokenizers.files import bytes_tokenizer


@pytest.fixture(autouse=True)
def tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(bytes_tokenizer().text, encoding="utf-8")


def spec(tmp_path: Path, ids: list[int], *, width: str = "uint16", **source: object) -> DataSpec:
    np.array(ids, dtype={"uint16": "<u2", "uint32": "<u4"}[width]).tofile(tmp_path / "a.bin")
    tokenizer = {"kind": "file", "path": str(tmp_path / "tokenizer.json")}
    plain = {"kind": "tokens", "path": str(tmp_path / "a.bin"), "width": width, **source}
    return spec_of("", source=plain, tokenizer=tokenizer, validation_fraction=0.3)


@pytest.mark.parametrize("width", ["uint16", "uint32"])
def test_end_ids_separate_records(tmp_path: Path, width: str) -> None:
    texts = [story["text"] for story in stories(100)]
    ids = [token for text in texts for token in [*text.encode(), 10]]
    data = prepare(spec(tmp_path, ids, width=width, end_id=10), cache=tmp_path / "cache")
    whole = np.concatenate([np.fromfile(data.folder / f"{name}.bin", "<u2") for name in ("train", "validation")])
    assert sorted(bytes(whole.tolist()).decode().split("\n")[:-1]) == sorted(texts)
    assert (data.end_id, data.manifest["records"]["read"]) == (10, 100)
    told = data.manifest["splits"]["train"]
    assert told["text_bytes"] == told["tokens"] - told["records"]  # an end id counts no bytes


def test_without_an_end_id_the_text_is_cut_and_nothing_is_put_in(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 256, 20 * 1024 + 100).tolist()
    data = prepare(spec(tmp_path, ids, vocab_size=300), cache=tmp_path / "cache")
    assert [*data.train.stream, *data.held_out("validation").stream] == ids
    assert (data.manifest["records"]["kept"], data.vocab_size, data.end_id) == (21, 300, 256)


@pytest.mark.parametrize(
    ("ids", "source", "message"),
    [
        ([1, 2, 300, 4], {}, r"a\.bin: token 2 is id 300, expected ids below 259"),
        ([1, 2, 30, 4], {"vocab_size": 20}, r"token 2 is id 30, expected ids below 20"),
        ([1, 2], {"end_id": 259}, r"source\.end_id is 259, expected an id below 259"),
        ([], {}, "the corpus is empty"),
        ([1] * 50, {"end_id": 1}, "the corpus is empty"),
    ],
)
def test_ids_must_fit(tmp_path: Path, ids: list[int], source: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(spec(tmp_path, ids, **source), cache=tmp_path / "cache")


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    torn = spec(tmp_path, [1, 2, 3])
    (tmp_path / "a.bin").write_bytes(b"\x01\x00\x02")
    with pytest.raises(DataError, match=r"a\.bin: 3 bytes are not a whole number of uint16 ids"):
        prepare(torn, cache=tmp_path / "cache")

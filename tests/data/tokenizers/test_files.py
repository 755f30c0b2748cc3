import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from stacklab.base.errors import TokenizerError
from stacklab.data.spec import FileTokenizer, Marker
from stacklab.data.tokenizers import library
from stacklab.data.tokenizers.codec import Codec
from stacklab.data.tokenizers.files import (
    TokenizerFile,
    bytes_tokenizer,
    character_tokenizer,
    read_tokenizer,
    train_bpe,
)


def with_end(folder: Path, token: str) -> Path:
    """A folder with a tokenizer whose only special token is `token`."""
    plain = json.loads(bytes_tokenizer().text)
    plain["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    tokenizer.add_special_tokens([token])
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_a_file_and_its_folder_are_one_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(bytes_tokenizer().text, encoding="utf-8")
    by_folder = read_tokenizer(FileTokenizer(path=str(tmp_path)))
    by_file = read_tokenizer(FileTokenizer(path=str(tmp_path / "tokenizer.json")))
    assert by_folder.hash == by_file.hash == bytes_tokenizer().hash
    assert by_folder.markers == {marker: marker.value for marker in Marker}
    (tmp_path / "tokenizer.json").write_text(bytes_tokenizer().text, encoding="utf-16")
    assert read_tokenizer(FileTokenizer(path=str(tmp_path))).hash == by_file.hash


def test_the_end_of_text_is_a_usual_name_or_what_the_config_says(tmp_path: Path) -> None:
    usual = with_end(tmp_path / "usual", "</s>")
    file = read_tokenizer(FileTokenizer(path=str(usual)))
    assert file.markers == {Marker.END_OF_TEXT: "</s>"}
    assert Codec(file).encode("a</s>")[-1] == Codec(file).full_id(Marker.END_OF_TEXT)
    odd = with_end(tmp_path / "odd", "[STOP]")
    with pytest.raises(TokenizerError, match="no end-of-text token among"):
        read_tokenizer(FileTokenizer(path=str(odd)))
    (odd / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "[STOP]"}}), encoding="utf-8")
    assert read_tokenizer(FileTokenizer(path=str(odd))).markers == {Marker.END_OF_TEXT: "[STOP]"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "not a tokenizer file"),
        (b'{"text": "a story"}\n', "not a tokenizer file"),
        (b"{\xff}", r"not UTF-8 at byte 1; .* expected a tokenizer\.json"),
        (b"", "not a tokenizer file"),
    ],
)
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(TokenizerError, match=rf"tokenizer\.json: {message}") as caught:
        read_tokenizer(FileTokenizer(path=str(path)))
    assert "\n" not in str(caught.value)


def test_a_panic_of_the_library_is_an_error_of_the_file(tmp_path: Path) -> None:
    tree = json.loads(train_bpe(["to be or not to be"] * 9, 270).text)
    tree["model"]["continuing_subword_prefix"] = "longer than any token"
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(tree))
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: not a tokenizer file \(range"):
        read_tokenizer(FileTokenizer(path=str(path)))


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"no tokenizer\.json in this folder"):
        read_tokenizer(FileTokenizer(path=str(tmp_path)))
    with pytest.raises(TokenizerError, match=r"no such file .* correct tokenizer\.path"):
        read_tokenizer(FileTokenizer(path=str(tmp_path / "none.json")))


GROWS = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def with_pattern(pattern: str) -> TokenizerFile:
    tokenizer = Tokenizer(models.WordLevel(vocab={"a": 0, "[U]": 1}, unk_token="[U]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    return TokenizerFile("theirs", tokenizer.to_str(), {})


@pytest.mark.parametrize("mark", [False, True])
def test_a_pattern_with_exponential_time_is_an_error_of_the_tokenizer(mark: bool) -> None:
    codec, text = Codec(with_pattern("(a+)+$")), "a" * 40 + "b"
    with pytest.raises(TokenizerError, match=r"^theirs: the tokenizer cannot encode the text 'a+b' \(Onig: Regex"):
        codec.encode_marked([text], [[]]) if mark else codec.encode(text)


def test_a_pattern_with_cubic_time_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PATIENCE", 0.1)
    monkeypatch.setattr(library, "SLOWEST", 10**9)
    codec = Codec(with_pattern(r"a+(?=\w*c)|x"))
    with pytest.raises(
        TokenizerError, match=r"cannot encode the text 'a{199}.* within 0 s: one of its patterns or mod"
    ):
        codec.encode("a" * 2_000)
    assert codec.encode("a") == [0], "the tokenizer goes on with other texts"


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        (
            {"normalizer": {"type": "Sequence", "normalizers": [GROWS] * 5}},
            r"memory allocation of \d+ bytes failed",
        ),
        ({"decoder": {"type": "Sequence", "decoders": [GROWS] * 5}}, r"memory allocation of \d+ bytes failed"),
        ({"pre_tokenizer": split("(a+)+c$")}, "Onig: Regex search error: retry-limit-in-match over"),
        ({"pre_tokenizer": split(r"a+(?=\w*c)|x")}, "not done within 2 s"),
    ],
)
def test_a_tokenizer_that_runs_away_on_a_probe_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: dict[str, Any], fault: str
) -> None:
    if "not done" in fault:
        monkeypatch.setattr(library, "PATIENCE", 2.0)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(bytes_tokenizer().text) | part))
    with pytest.raises(TokenizerError, match=rf"tokenizer\.json: the tokenizer cannot encode a text of .*: {fault}"):
        read_tokenizer(FileTokenizer(path=str(path)))


def test_replacements_and_patterns_of_usual_tokenizers_pass_the_probe(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    usual = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
    for part in (
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split(usual), BYTES]}},
        {"normalizer": GROWS},
    ):
        path.write_text(json.dumps(json.loads(bytes_tokenizer().text) | part))
        assert read_tokenizer(FileTokenizer(path=str(path))).text


def test_a_tokenizer_of_few_characters_passes_the_probe(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(character_tokenizer("ab", more=False, markers=[Marker.END_OF_TEXT]).text)
    assert read_tokenizer(FileTokenizer(path=str(path))).text == path.read_text()


def test_ordinary_text_has_time_enough() -> None:
    text = "the quick brown fox jumps over the lazy dog " * 20_000
    assert len(Codec(bytes_tokenizer()).encode(text)) == len(text)


def test_ids_beyond_every_model_are_refused(tmp_path: Path) -> None:
    tree = json.loads(bytes_tokenizer().text)
    tree["model"]["vocab"]["a"] = 4_000_000_000
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(tree))
    with pytest.raises(TokenizerError, match=r"the tokenizer has the id 4,000,000,000, expected ids below 16,777,216"):
        read_tokenizer(FileTokenizer(path=str(path)))

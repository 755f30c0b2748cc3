import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from stacklab.base.errors import TokenizerError
from stacklab.data.spec import FileTokenizer, Marker
from stacklab.data.tokenizers.codec import Codec
from stacklab.data.tokenizers.files import bytes_tokenizer, read_tokenizer, train_bpe


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

"""What import and generate say of models from elsewhere."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.model.port.conftest import GPT2_STACK, filled, stack, tensors_of

from stacklab.base.errors import DataError
from stacklab.cli.generate import generate
from stacklab.cli.main import main
from stacklab.cli.port import import_
from stacklab.data.tokenizers.files import bytes_tokenizer
from stacklab.exchange.export import write_files, write_tokenizer
from stacklab.exchange.portable import Portable
from stacklab.model.port import mingpt
from stacklab.model.port.gpt2 import GPT2


def gpt2_folder(folder: Path, *, rows: int) -> Path:
    """With the tokenizer of bytes, which has 259 ids."""
    model = filled(stack(GPT2_STACK, vocab_size=rows))
    portable = Portable("m", model.spec, tensors_of(model), bytes_tokenizer(), 256, 256)
    folder.mkdir()
    write_files(portable, GPT2, folder)
    write_tokenizer(portable, folder)
    return folder


def test_import_says_how_many_rows_belong_to_no_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_(str(gpt2_folder(tmp_path / "padded", rows=264)), out=tmp_path)
    assert "padded: 5 of the vocabulary's 264 rows belong to no token" in capsys.readouterr().out
    import_(str(gpt2_folder(tmp_path / "whole", rows=259)), out=tmp_path)
    assert "padded" not in capsys.readouterr().out


def test_import_says_where_texts_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = mingpt.read(MINI | {"vocab_size": 259})
    content: dict[str, Any] = {"config": MINI | {"vocab_size": 259}}
    for name, shape in (part for link in mingpt.links(spec) for part in link.parts):
        data = base64.b64encode(torch.ones(shape).numpy().tobytes()).decode()
        content[name] = {"shape": shape, "dtype": "torch.float32", "data": data}
    (tmp_path / "mini.json").write_text(json.dumps(content))
    (tmp_path / "tokenizer.json").write_text(bytes_tokenizer().text)
    import_(str(tmp_path / "mini.json"), tokenizer=tmp_path / "tokenizer.json", out=tmp_path)
    assert "note: texts end at <|endoftext|> (id 256) of the tokenizer\n" in capsys.readouterr().out


def test_novelty_of_an_imported_model_is_refused_before_the_first_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(str(gpt2_folder(tmp_path / "m", rows=259)), out=tmp_path)
    capsys.readouterr()
    for name in ("m", str(tmp_path / "m")):
        with pytest.raises(DataError, match="m: was not trained here, so there is no training text"):
            generate(name, novelty=True, out=tmp_path)
    assert capsys.readouterr().out == ""
    generate("m", tokens=1, out=tmp_path)
    assert capsys.readouterr().out.startswith("Once upon a time")


def spoilt(folder: Path, how: str) -> Path:
    """A model whose error message quotes what it holds."""
    gpt2_folder(folder, rows=259)
    path, weights = folder / "config.json", folder / "model.safetensors"
    if how == "key":
        path.write_text(json.dumps(json.loads(path.read_text()) | {EVIL: 1}))
    elif how == "tensor":
        save_file(load_file(weights) | {EVIL: torch.ones(1)}, weights)
    elif how == "dtype":
        header = json.dumps({"x": {"dtype": EVIL, "shape": [1], "data_offsets": [0, 4]}}, ensure_ascii=False).encode()
        weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    else:
        (folder / "mini.json").write_text(json.dumps({"config": MINI, EVIL: {"shape": "x"}}))
        return folder / "mini.json"
    return folder


LONG = "n" * 300
TOO_LONG: list[tuple[list[str], str]] = [
    (["generate", LONG], r"expected one run that starts with 'n{199}\.\.\. \("),
    (["export", LONG, "new"], r"expected one run that starts with 'n{199}\.\.\. \("),
    (["export", "m", LONG], r"n{300}: cannot write \(File name too long\); choose a shorter name"),
    (["export", "m", "a\udcff"], r"a\\udcff: its name is not UTF-8, so other programs could not open it"),
    (["import", LONG], "n{300}: no such folder or file"),
    (["import", "whole", "--name", LONG], r"--name n{200}\.\.\. .* at most 200 bytes"),
    (["import", "whole", "--name", "é" * 101], "--name é{101}: .* at most 200 bytes"),
    (["import", "whole", "--tokenizer", LONG], r"n{300}: cannot be read \(.*File name too long"),
    (["generate", "m", "--out", LONG], "n{200}.*: File name too long|expected one run"),
    (["import", "whole", "--out", LONG], "cannot write .File name too long.; choose a shorter name"),
    (["generate", "m", "--prompt", "a\udcff"], r"prompt 'a\\udcff': not UTF-8 at character 1; write it in UTF-8"),
    (["generate", "whole", "--prompt", "a\udcff"], r"prompt 'a\\udcff': not UTF-8 at character 1; write it in UTF-8"),
]


@pytest.mark.parametrize(("args", "message"), TOO_LONG, ids=[case[-1] for case in TOO_LONG])
def test_names_and_texts_that_no_system_takes_are_refused_in_one_line(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("stacklab-out")
    import_(str(gpt2_folder(Path("whole"), rows=259)), name="m", out=out)
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["stacklab", *args])
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr()
    assert left.value.code == 2 and printed.err.count("\n") == 1
    assert re.search(message, printed.err), printed.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stacklab-out", "whole"]


EVIL = "extra\n\x1b[31mevil\x9b\u202e"
MINI = {"vocab_size": 3, "n_layer": 1, "n_head": 1, "n_embd": 2, "block_size": 4}


@pytest.mark.parametrize("how", ["key", "tensor", "dtype", "minGPT"])
def test_no_message_carries_commands_for_the_terminal(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["stacklab", "import", str(spoilt(tmp_path / "m", how)), "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr().err
    assert left.value.code == 2 and "extra" in printed and "evil" in printed
    assert printed.endswith("\n") and printed[:-1].isprintable()


def test_a_prompt_carries_no_commands_for_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_(str(gpt2_folder(tmp_path / "m", rows=259)), out=tmp_path)
    capsys.readouterr()
    generate("m", prompt=["a\x1b[31mb\nc"], tokens=1, out=tmp_path)
    assert capsys.readouterr().out.startswith("a\\x1b[31mb\nc")

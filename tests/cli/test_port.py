"""What import and generate say of models from elsewhere."""

from pathlib import Path

import pytest
from tests.model.port.conftest import GPT2_STACK, filled, stack, tensors_of

from stacklab.base.errors import DataError
from stacklab.cli.generate import generate
from stacklab.cli.port import import_
from stacklab.data.tokenizer_files import bytes_tokenizer
from stacklab.model.port.gpt2 import GPT2
from stacklab.run.export import write_files, write_tokenizer
from stacklab.run.portable import Portable


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

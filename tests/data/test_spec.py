import subprocess
import sys

import pytest
from pydantic import ValidationError

from stacklab.data.sources.spec import FileSpec
from stacklab.data.spec import DataSpec

FILE = {"kind": "file", "path": "a.jsonl"}
BASE = {"source": FILE, "tokenizer": {"kind": "bytes"}, "block_size": 8}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": {"kind": "tokens", "path": "a.bin"}}, "give that tokenizer as kind file or hub"),
        ({"source": FILE | {"separator": "--"}}, "separator is for txt files"),
        ({"source": FILE | {"delimiter": ";"}}, "delimiter is for csv and tsv files, found format 'jsonl'"),
        ({"source": FILE | {"delimiter": ";;", "format": "csv"}}, "delimiter is one character"),
        ({"source": FILE | {"columns": {"text": "t", "reasoning": "r"}}}, "input and reasoning belong to prompt and"),
        ({"source": FILE | {"columns": {"text": "t", "system": "s"}}}, "no system column"),
        ({"source": FILE | {"columns": {"prompt": "q"}}}, "give both or neither"),
        ({"source": FILE | {"columns": {"messages": "m", "text": "t"}}}, "name the columns of one of them"),
        ({"tokenizer": {"kind": "bpe", "vocab_size": 258}}, "greater than or equal to 259"),
        ({"validation_fraction": 1.0}, "less than 1"),
        ({"block_size": 0}, "greater than or equal to 1"),
        ({"source": {"kind": "web"}}, "'procedural-cot', 'generated-stories', 'hub', 'file', 'tokens'"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataSpec.model_validate(BASE | changes)


def test_a_dump_loads_to_an_equal_spec() -> None:
    spec = DataSpec.model_validate(BASE | {"source": {"kind": "hub", "id": "a/b", "columns": {"text": "story"}}})
    assert DataSpec.model_validate(spec.dump()) == spec
    assert len(DataSpec.model_fields) < 16


def test_settings_that_were_added_leave_the_dump_as_it_was() -> None:
    dump = DataSpec.model_validate(BASE).dump()["source"]
    assert set(dump) == {"kind", "path", "format", "separator", "columns"}
    assert set(dump["columns"]) == {"messages", "prompt", "response", "text", "answer"}


@pytest.mark.parametrize("path", ["a.txt", "b.jsonl/a.txt.gz", "a.TXT.zst"])
def test_the_format_is_that_of_the_ending_before_packing(path: str) -> None:
    spec = DataSpec.model_validate(BASE | {"source": FILE | {"path": path, "separator": "--"}})
    assert isinstance(spec.source, FileSpec)
    assert spec.source.ending == "txt"


def test_preparing_and_loading_never_imports_torch_or_datasets() -> None:
    code = "import sys, stacklab.data.prepare, stacklab.data.batches; print({'torch', 'datasets'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"

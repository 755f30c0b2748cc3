"""docs/data.md: its commands are understood, its tables name what there is, its Python runs."""

import re
import shlex
from pathlib import Path

import pytest
from tests.data.corpora import spec_of, stories, write_jsonl

from stacklab.base.yamlfile import parse_overrides
from stacklab.data.prepare import prepare
from stacklab.data.spec import DataSpec

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
COMMANDS = [line for line in PAGE.splitlines() if line.startswith("stacklab run")]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_gives_a_source_that_fits(command: str) -> None:
    given = {path.removeprefix("data."): value for path, value in parse_overrides(shlex.split(command)[3:]).items()}
    DataSpec.model_validate({"tokenizer": {"kind": "bytes"}, "block_size": 8} | given)


def test_every_tokenizer_of_the_table_is_one() -> None:
    rows = re.findall(r"^\| `(\{kind: .*?\})` \|", PAGE.split("## Templates")[0], re.MULTILINE)
    assert len(rows) == 4
    for row in rows:
        tokenizer = parse_overrides([f"tokenizer={row}"])
        DataSpec.model_validate({"source": {"kind": "file", "path": "a.txt"}, "block_size": 8} | tokenizer)


def test_every_validation_of_the_table_is_one() -> None:
    rows = re.findall(r"^\| `(\{kind: .*?\})` \|", PAGE.split("## Split")[1], re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        DataSpec.model_validate(
            {"source": {"kind": "file", "path": "a.txt"}, "tokenizer": {"kind": "bytes"}, "block_size": 8}
            | parse_overrides([f"validation={row}"])
        )


def test_the_manifest_and_the_files_are_told_whole(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", stories(200))
    data = prepare(spec_of(path, vocabulary="compact"), cache=tmp_path / "cache")
    section = PAGE.split("## Manifest")[1].split("## From Python")[0]
    told = {
        name for cell in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert told == set(data.manifest)
    listed = re.findall(r"`([\w]+\.\w+)`", PAGE.split("## Cache")[1].split("## Manifest")[0])
    assert set(listed) == {entry.name for entry in data.folder.iterdir()}


def test_the_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert "<|im_start|>" in capsys.readouterr().out

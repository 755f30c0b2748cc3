"""Every example of docs/extending.md, applied to a copy of the source and run: how many files an extension touches."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCK = re.compile(r'^```(\w+) (check|title="([^"]+)")\n(.*?)^```$', re.MULTILINE | re.DOTALL)
MOST_FILES = {
    "A task": 2,
    "A metric": 2,
    "A figure with a table, a CSV file and new data": 3,
    "An engine": 2,
    "An option of run": 3,
    "An optimiser": 2,
    "A position kind that acts in attention": 3,
    "A mask": 1,
    "A norm placement": 1,
    "A residual rule": 1,
    "A log format": 1,
}
"""By heading. The page's table promises the same."""


class Block(NamedTuple):
    """A new file (python), lines put into a file (diff), or, without a title, the code that uses the extension."""

    language: str
    title: str
    text: str


def sections() -> dict[str, list[Block]]:
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return {
        heading: [Block(found[1], found[3] or "", found[4]) for found in BLOCK.finditer(text)]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def patched(text: str, diff: str) -> str:
    """`text` with one run of lines replaced: ' ' and '-' lines must stand in it, exactly once; ' ' and '+' remain."""
    lines = diff.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    assert text.count(old) == 1, f"expected once, found {text.count(old)} times:\n{old}"
    return text.replace(old, new)


def apply(block: Block, root: Path) -> None:
    path = root / block.title
    if block.language == "diff":
        path.write_text(patched(path.read_text(), block.text))
    else:
        assert not path.exists(), f"{block.title} exists already"
        path.write_text(block.text)


def run(code: str, source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(source)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("heading", sections())
def test_the_example_works_and_touches_no_more_files_than_promised(heading: str, tmp_path: Path) -> None:
    *changes, check = sections()[heading]
    assert check.title == "" and all(change.title for change in changes)
    shutil.copytree(ROOT / "src", tmp_path / "src")
    for change in changes:
        apply(change, tmp_path)
    done = run(check.text, tmp_path / "src", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len({change.title for change in changes}) <= MOST_FILES[heading]


def test_no_check_passes_without_its_extension(tmp_path: Path) -> None:
    """All in one process, since importing torch is most of the time."""
    checks = {heading: blocks[-1].text for heading, blocks in sections().items()}
    code = f"""
for heading, check in {checks!r}.items():
    try:
        exec(check, {{}})
    except Exception:
        continue
    print(heading)
"""
    done = run(code, ROOT / "src", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_the_table_promises_what_is_tested() -> None:
    rows = re.findall(r"^\| \[([^]]+)\]\(#[\w-]+\) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert {row[0].upper() + row[1:]: int(files) for row, files in rows} == MOST_FILES
    assert list(sections()) == list(MOST_FILES)

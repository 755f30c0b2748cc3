"""Files are opened, for reading and for writing, by the functions of base/files only."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "stacklab"
FILES = sorted(SOURCE.rglob("*.py"))
METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "symlink_to", "hardlink_to"}
FUNCTIONS = {"open", "os.open", "io.open", "shutil.copyfile", "shutil.copy", "shutil.move", "shutil.copytree"}
LIBRARIES = {
    "np.load": 0,
    "np.memmap": 0,
    "np.fromfile": 0,
    "safe_open": 0,
    "torch.load": 0,
    "zipfile.ZipFile": 0,
    "pyarrow.parquet.ParquetFile": 0,
    "pyarrow.parquet.read_schema": 0,
}
"""Calls that open the file that their first argument names: it is `regular(...)`, or a handle."""

ALLOWED = {
    "base/files.py": "opens files",
    "base/folders.py": "opens what killed writers left, to see whether its lock is held",
    "cli/main.py": "replaces an output that nobody reads by the null device",
    "study/engines/server.py": "replaces the standard input by the null device",
    "bench/gpu_check_run.py": "copies a report that it has just made",
    "run/ranks/launch.py": "the log of the ranks, in a temporary folder of its own",
}
"""Why a file may do more than call the functions of base/files."""


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def is_direct(node: ast.Call) -> bool:
    name = called(node)
    if name in FUNCTIONS:
        return True
    if name in LIBRARIES:
        first = node.args[0]
        opened = isinstance(first, ast.Name) and first.id in ("file", "handle")
        return not opened and not (isinstance(first, ast.Call) and called(first) in ("regular", "_seekable"))
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS:
        return False
    return name not in ("archive.open",)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_opened_by_the_functions_of_base(path: Path) -> None:
    if str(path.relative_to(SOURCE)) in ALLOWED:
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    direct = [f"line {node.lineno}: {called(node)}" for node in calls if is_direct(node)]
    assert direct == [], "use open_regular, regular, read_* or write_* of stacklab.base.files"


def test_every_exception_is_needed() -> None:
    for name in ALLOWED:
        tree = ast.parse((SOURCE / name).read_text())
        assert any(isinstance(node, ast.Call) and is_direct(node) for node in ast.walk(tree)), name


@pytest.mark.parametrize(
    "code",
    ["path.open('rb')", "path.read_text()", "open(path)", "np.load(path)", "safe_open(path, framework='pt')"],
)
def test_a_direct_opening_is_noticed(code: str) -> None:
    assert is_direct(next(node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)))

"""Where things lie: folders that can be surveyed, doors that say what is behind them, names that occur once."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "stacklab"
FILES = sorted(SOURCE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES})
MOST_FILES = 15
LISTS = re.compile(r"[Oo]ne file per [a-z]+")
"""A folder that lists like things says so in its docstring, and may be larger."""
MOST_SINGLE = 0.25
"""Share of source files that exactly one other file imports."""


def module(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in FILES}


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def imports(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports, those for types and within functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES or node.module in MODULES:
                    yield whole if whole in MODULES else node.module
        if isinstance(node, ast.ImportFrom) and node.level:
            yield ".".join([*module(path).split(".")[: -node.level], node.module or ""])


GRAPH = {name: set(imports(path)) - {name} for name, path in MODULES.items()}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCE)))
def test_a_folder_can_be_surveyed(folder: Path) -> None:
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES or LISTS.search(docstring(folder / "__init__.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCE)))
def test_a_package_says_what_lives_there(folder: Path) -> None:
    """What lives here, which names are its door, what it may import."""
    tree = ast.parse((folder / "__init__.py").read_text())
    text = ast.get_docstring(tree) or ""
    assert len(text.split("\n")[0]) > 10
    if folder != SOURCE:
        assert re.search(r"\b[Dd]oors?\b", text) and re.search(r"\b[Ii]mports?\b", text)
        assert len(tree.body) == 1, "an __init__ file holds its docstring and nothing else"


def test_no_class_name_occurs_twice_on_a_floor() -> None:
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for path in FILES:
        floor = path.relative_to(SOURCE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                names[floor][node.name] += 1
    twice = {floor: [name for name, count in counts.items() if count > 1] for floor, counts in names.items()}
    assert {floor: found for floor, found in twice.items() if found} == {}


def test_no_import_goes_in_a_circle() -> None:
    """Those for types included. Depth-first: a module that is met again on the way to itself closes a circle."""
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for other in sorted(GRAPH[name]):
                visit(other, (*way, name))
            done.add(name)

    for name in GRAPH:
        visit(name, ())


def test_few_files_serve_one_other_file_only() -> None:
    importers = Counter(other for others in GRAPH.values() for other in others)
    files = [name for name, path in MODULES.items() if path.name != "__init__.py"]
    single = [name for name in files if importers[name] == 1]
    assert len(single) < MOST_SINGLE * len(files), f"{len(single)} of {len(files)}: {', '.join(single)}"

"""Small folders that say what lives in them, and class names that mean one thing on a floor."""

import ast
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "stacklab"
FLOORS = ("base", "data", "tasks", "stats", "audit", "interp", "bench", "report")
FOLDERS = sorted(path.parent for floor in FLOORS for path in (SOURCE / floor).rglob("__init__.py"))
MOST_FILES = 15
LISTING = "one file per"
"""In the docstring of a folder that lists like things, which may hold any number of them."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCE)))
def test_a_folder_says_what_lives_there_and_stays_small(folder: Path) -> None:
    tree = ast.parse((folder / "__init__.py").read_text())
    docstring = ast.get_docstring(tree)
    assert docstring, "no docstring"
    assert len(tree.body) == 1, "an __init__ file holds its docstring and nothing else"
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES or LISTING in docstring


@pytest.mark.parametrize("floor", FLOORS)
def test_no_class_name_occurs_twice_on_a_floor(floor: str) -> None:
    trees = [ast.parse(path.read_text()) for path in (SOURCE / floor).rglob("*.py")]
    names = Counter(node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef))
    assert [name for name, count in names.items() if count > 1] == []

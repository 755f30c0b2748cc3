"""What keeps the code readable and quick to start."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "stacklab"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 300, 60

TORCH_FREE = [
    "stacklab",
    "stacklab.api",
    "stacklab.audit.examine",
    "stacklab.base.files",
    "stacklab.cli.main",
    "stacklab.data.novelty",
    "stacklab.data.prepare",
    "stacklab.interp.construct.registry",
    "stacklab.interp.spec",
    "stacklab.model.count",
    "stacklab.model.parametrisation",
    "stacklab.model.stacked.support",
    "stacklab.model.generation.sampling_spec",
    "stacklab.report.pages.attention_maps",
    "stacklab.report.pages.coordinates",
    "stacklab.report.pages.terminal",
    "stacklab.report.pages.write",
    "stacklab.run.spec",
    "stacklab.run.store",
    "stacklab.stats.paired",
    "stacklab.study.execution.coordinates",
    "stacklab.study.execution.live",
    "stacklab.study.planning.plan",
    "stacklab.study.results.results",
    "stacklab.tasks.spec",
]


def imported(code: str) -> set[str]:
    """The top-level packages that are loaded after `code` ran in a fresh interpreter."""
    script = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_specs_plans_statistics_and_reports_do_not_import_torch() -> None:
    assert "torch" not in imported("import " + ", ".join(TORCH_FREE))


def test_help_imports_nothing_heavy() -> None:
    call = "import sys; sys.argv = ['stacklab', '--help']\nimport stacklab.cli.main as m"
    code = f"{call}\ntry:\n  m.main()\nexcept SystemExit:\n  pass"
    heavy = {"torch", "numpy", "scipy", "pandas", "datasets", "matplotlib", "plotly", "pydantic", "rich"}
    assert not heavy & imported(code)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


ONLY_WRITTEN = {"numbers", "arm_mean", "against_mean", "asked"}
"""Fields for other programs and people: the numbers behind an audit's finding, the means of the arms of a claim, and
the setup of a stored measurement."""


def test_every_field_of_every_spec_is_read_somewhere() -> None:
    """Fields are read as attributes, through getattr by name, or as a whole section by `model_fields`."""
    read = {node.attr for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named = {node.value for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    templates = " ".join(path.read_text() for path in SOURCE.rglob("*.j2"))
    unread = [name for name in spec_fields() if name not in read | named | ONLY_WRITTEN and f".{name}" not in templates]
    assert unread == []


def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in FILES]


SPEC_BASES = {"Spec", "PositionKind"}


def is_spec(base: str) -> bool:
    return base.endswith("Spec") or base in SPEC_BASES


def spec_fields() -> Iterator[str]:
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(is_spec(ast.unparse(base)) for base in node.bases):
                for item in node.body:
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                        yield item.target.id


def test_the_public_names_are_what_is_exported() -> None:
    import stacklab

    for name in stacklab.__all__:
        assert getattr(stacklab, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = stacklab.nothing


def test_all_that_is_printed_goes_through_one_place() -> None:
    printing = {"print", "Console", "rich.markup"}
    for path in FILES:
        tree = ast.walk(ast.parse(path.read_text()))
        names = {
            node.func.id
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            else node.module
            if isinstance(node, ast.ImportFrom)
            else ""
            for node in tree
        }
        place = path.relative_to(SOURCE)
        assert path.name == "text.py" or not printing & names, f"{place}: print by `say` or `make_console` of base/text"

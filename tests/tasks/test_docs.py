"""docs/tasks.md: a section per task with its worked examples and fields, and baselines as computed."""

import doctest
import re
from pathlib import Path
from typing import Any

import pytest
from tests.tasks.contract import baselines_of

from stacklab.tasks.spec import TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
KINDS = pytest.mark.parametrize("kind", TASKS)


def section(kind: str) -> str:
    return PAGE.split(f"\n## {kind}\n")[1].split("\n## ")[0]


def test_there_is_a_section_for_each_task_in_order() -> None:
    assert [name for name in re.findall(r"^## (.*)$", PAGE, re.MULTILINE) if name in TASKS] == list(TASKS)


@KINDS
def test_the_examples_are_those_of_the_docstring(kind: str) -> None:
    shown = re.findall(r"```\n(.*?)```", section(kind), re.DOTALL)
    wanted = [example.want for example in doctest.DocTestParser().get_examples(TASKS[kind].__doc__ or "")]
    assert shown
    assert set(shown) <= set(wanted)


@KINDS
def test_every_field_is_named(kind: str) -> None:
    named = set(re.findall(r"`(\w+)", section(kind)))
    assert set(TASKS[kind].model_fields) - {"kind"} <= named


@KINDS
def test_the_baselines_are_as_computed(kind: str) -> None:
    task: Any = TASKS[kind]()
    baselines = baselines_of(task, 2000)
    (stated,) = re.findall(rf"^\| `{kind}` \|.*?\| (0\.\d+) \| (?:[\d.]+ ms|–) \|$", PAGE, re.MULTILINE)
    assert max(baselines.values()) == pytest.approx(float(stated), abs=0.03)
    quoted = set(re.findall(r"`([a-z ]+)`", section(kind).split("**Baseline**")[1].split("- **")[0]))
    assert quoted & set(baselines)


def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert "one of the answers present" in capsys.readouterr().out

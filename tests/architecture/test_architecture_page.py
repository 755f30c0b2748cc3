"""docs/architecture.md names what exists, and draws the floors as they are held."""

import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(stacklab\.[\w.]+)`", PAGE))))
def test_a_name_of_the_page_is_alive(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert pkgutil.resolve_name(f"{module}:{attribute}") is not None


def test_the_walk_names_a_function_at_each_step() -> None:
    steps = re.findall(r"^\d+\. (.+)$", PAGE, re.MULTILINE)
    assert len(steps) >= 12
    assert all("`stacklab." in step for step in steps)


def test_the_floors_are_those_of_the_import_contract() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    held = [name.strip().removeprefix("stacklab.") for layer in layers for name in layer.split("|")]
    (drawing,) = re.findall(r"```\n(cli .+?)```", PAGE, re.DOTALL)
    drawn = re.findall(r"(?:^|\|\s+)(\w+)(?=:|  )", drawing, re.MULTILINE)
    assert sorted(drawn) == sorted(held)

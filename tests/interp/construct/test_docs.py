"""docs/constructions.md: a row, a section and a picture for each construction, with its real sizes; its Python runs."""

import re
from pathlib import Path

import pytest

from stacklab.interp.construct.compile import model_spec
from stacklab.interp.construct.registry import CONSTRUCTIONS, blueprint
from stacklab.interp.construct.verify import least_sharpness
from stacklab.interp.spec import ROLES

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "constructions.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| \[`([a-z-]+)`\]\(#([a-z-]+)\) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)


def test_every_construction_has_a_row_and_a_section_with_a_picture() -> None:
    assert [name for name, *_ in ROWS] == list(CONSTRUCTIONS)
    for name in CONSTRUCTIONS:
        section = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert f"(figures/construct-{name}.png)" in section
    for picture in re.findall(r"\]\((figures/.*?)\)", PAGE):
        assert (DOCS / picture).stat().st_size < 40_000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_sizes_are_the_real_ones(row: tuple[str, ...]) -> None:
    name, anchor, *sizes, least = row
    spec = model_spec(blueprint(name))
    assert anchor == name
    assert [int(size) for size in sizes] == [spec.num_layers, spec.layers[0].num_heads, spec.d_model]
    assert (least_sharpness(lambda value: blueprint(name, sharpness=value), sequences=200) or 99) <= int(least)


def test_every_role_is_told_in_the_words_of_the_command() -> None:
    for role in ROLES:
        assert f"| `{role}` | " in PAGE


def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert "right=1000" in capsys.readouterr().out

from pathlib import Path

import pytest

from stacklab.base.errors import SpecError
from stacklab.base.yamlfile import load_yaml, parse_overrides


def test_lines_of_nested_keys_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a:\n  b: 3e-4\n  c:\n    - x: 1\n    - x: 2\n")
    tree, places = load_yaml(path)
    assert tree == {"a": {"b": 3e-4, "c": [{"x": 1}, {"x": 2}]}}
    assert places.of(("a", "c", 1, "x")) == f"{path}:5"
    assert places.of(("a", "b", "deeper")) == f"{path}:2"


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1\nb: 2", r"a\.yaml:2: not YAML"), ("- 1", "must be a mapping"), ("a: ${nowhere}", "nowhere")],
)
def test_bad_text_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message) as caught:
        load_yaml(path)
    assert "\n" not in str(caught.value)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"a: !!python/object/apply:os.mkdir ['{tmp_path}/made']")
    with pytest.raises(SpecError):
        load_yaml(path)
    assert not (tmp_path / "made").exists()


def test_overrides_are_yaml_values() -> None:
    assert parse_overrides(["a.b=3e-4", "c=[1, 2]", "d={kind: x}"]) == {"a.b": 3e-4, "c": [1, 2], "d": {"kind": "x"}}
    with pytest.raises(SpecError, match="expected path=value"):
        parse_overrides(["model.d_model"])
    assert parse_overrides(["a.b=1", "a.b=2"]) == {"a.b": 2}

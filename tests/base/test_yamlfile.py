import json
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


def refusal(folder: Path, text: str) -> str:
    path = folder / "a.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_yaml(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and len(message) < 500 + len(str(path))
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", ":2: not YAML"),
        ("- 1", "must be a mapping"),
        ("a: 1\nb: \x1b[2J", ":2: not YAML (the character"),
        ('a: "\\UFFFFFFFF"', ":1: not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: *b", ":1: not YAML"),
        ("a: 1\na: 2", ":2: the key 'a' a second time"),
        ("a: 1\n[1, 2]: 2", ":2: a list or a mapping in the place of a key"),
        ("b: {<<: 1}", ":1: <<: expected a mapping"),
    ],
)
def test_bad_text_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "word",
    [
        *("020", "-017", "00", "0o20", "0x1F", "0b11", "1:30", "-1:30:00.5", "07.5", "1_0", "1_", "1_000.5", "1.5_0"),
        *("yes", "No", "ON", "off", ".inf", "-.INF", ".nan", "1e999", "-1e400", "1e-400", "9" * 41),
        *("${b}", "${oc.env:HOME}", "x${oc.decode:1}", "${oc.env:NOWHERE,x}"),
        *("!!bool x", "!!timestamp x", "!!int '3'", "!!str 3", "! 3", "!!set {a}", "!!python/name:os.system"),
    ],
)
def test_what_readers_of_yaml_disagree_on_is_refused_by_line_unless_quoted(tmp_path: Path, word: str) -> None:
    for text in (f"b: 1\na: {word}", f"b: 1\na: [1, {word}]" if "{" not in word else f"b: 1\na:\n- {word}"):
        assert refusal(tmp_path, text).startswith((":2: ", ":3: "))
    with pytest.raises(SpecError, match=r"override .a="):
        parse_overrides([f"a={word}"])
    assert parse_overrides([f"a={json.dumps(word)}"]) == {"a": word}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("20", 20), ("-3", -3), ("+3", 3), ("0", 0), ("1_000_000", 1_000_000), ("9" * 40, 10**40 - 1)),
        *(("3e-4", 3e-4), ("1E3", 1000.0), (".5", 0.5), ("1.", 1.0), ("-0.0", 0.0), ("0e-400", 0.0)),
        *(("true", True), ("False", False), ("null", None), ("~", None), ("", None)),
        *(("2024-01-01", "2024-01-01"), ("1.2.3", "1.2.3"), ("y", "y"), ("on time", "on time"), ("$x {y}", "$x {y}")),
        *(("'020'", "020"), ('"${b}"', "${b}"), ("'yes'", "yes"), ("infinite", "infinite"), ("=", "=")),
    ],
)
def test_numbers_and_words_are_what_they_look_like(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"a: {text}\n")
    read = load_yaml(path)[0]["a"]
    assert read == value and type(read) is type(value)
    assert parse_overrides([f"a={text}"]) == {"a": value}


def test_keys_are_text_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("on: 1\n020: {yes: 2, null: 3}\n")
    assert load_yaml(path)[0] == {"on": 1, "020": {"yes": 2, "null": 3}}


def test_merged_keys_stand_before_own_ones_and_have_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a\n  x: 1\n  y: {z: 1}\nb: &b {y: 2, w: 3}\nc:\n  <<: [*a, *b]\n  x: 9\n  '<<': text\n")
    with pytest.raises(SpecError, match=":8: the key '<<' a second time"):
        load_yaml(path)
    path.write_text(path.read_text().replace("  '<<': text\n", ""))
    tree, places = load_yaml(path)
    assert list(tree["c"].items()) == [("y", {"z": 1}), ("w", 3), ("x", 9)]
    assert places.of(("c", "y", "z")) == f"{path}:3" and places.of(("c", "x")) == f"{path}:7"
    assert tree["c"]["y"] is not tree["a"]["y"]


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * 400 + "]" * 400, ":1: nested deeper than 50 levels"),
        ("a: " + "{x: " * 100_000, ":1: nested deeper than 50 levels"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(60)), ":50: nested deeper than 50 levels"),
        ("a: &a [*a]", ":1: nested deeper than 50 levels"),
        ("a: &a {<<: *a}", ":1: nested deeper than 50 levels"),
        (LAUGHS, "more than 10,000 values"),
        (MERGES, "more than 10,000 values"),
        ("a: [" + "x, " * 20_000 + "]", ":1: more than 10,000 keys and values"),
        ("#" * 1_000_001, ":1: 1,000,001 characters; at most 1,000,000"),
    ],
    ids=["lists", "mappings", "indents", "itself", "merges-itself", "laughs", "merges", "values", "characters"],
)
def test_depth_length_and_number_are_bounded(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


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

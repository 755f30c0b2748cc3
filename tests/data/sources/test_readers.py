import json
from pathlib import Path
from typing import Any

import pytest

from stacklab.base.errors import DataError
from stacklab.data.sources.readers import rows_of
from stacklab.data.spec import FileSpec


def read(path: Path, **settings: Any) -> list[tuple[str, dict[str, Any]]]:
    """Rows with the line or row number that ends their place."""
    rows = rows_of(FileSpec(path=str(path), **settings))
    return [(place.removeprefix(str(path)), row) for place, row in rows]


def test_jsonl_keeps_line_numbers_over_blank_lines_and_reads_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "one"}\r\n\r\n{"text": "two"}')
    assert read(path) == [(":1", {"text": "one"}), (":3", {"text": "two"})]


def test_csv_fields_may_hold_lines_and_be_long(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('q,a\n"one\ntwo",x\n"' + "y" * 200_000 + '",z\n', encoding="utf-8")
    assert read(path) == [(":2", {"q": "one\ntwo", "a": "x"}), (":4", {"q": "y" * 200_000, "a": "z"})]


def test_json_and_parquet_give_the_rows_of_jsonl(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [{"text": "one", "turns": [{"role": "user", "content": "é"}]}, {"text": "two", "turns": []}]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert read(tmp_path / "a.json") == [(": record 1", rows[0]), (": record 2", rows[1])]
    assert read(tmp_path / "a.parquet") == [(": row 1", rows[0]), (": row 2", rows[1])]


def test_txt_is_cut_at_blank_lines_or_at_a_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\none\ntwo\n \n\nthree\n<end>\nfour\n<end>\n\n", encoding="utf-8")
    assert read(path) == [(":2", {"text": "one\ntwo"}), (":6", {"text": "three\n<end>\nfour\n<end>"})]
    assert read(path, separator="<end>") == [(":2", {"text": "one\ntwo\n \n\nthree"}), (":8", {"text": "four"})]
    assert [row["text"] for _, row in read(path, separator="\n")] == ["one", "two", "three", "<end>", "four", "<end>"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', r"a\.jsonl:2:10: not JSON"),
        ("a.jsonl", b'{"text": "x"}\n[1]\n', r"a\.jsonl:2: expected an object .*, found a list"),
        ("a.jsonl", b'{"text": "x"}\n\n{"text": "\xff"}\n', r"a\.jsonl:3: not UTF-8"),
        ("a.txt", b"one\ntwo \xe9\n", r"a\.txt:2: not UTF-8"),
        ("a.json", b'[{"text": "x"},\n}', r"a\.json:2:1: not JSON"),
        ("a.json", b'{"text": "x"}', r"a\.json: expected a list of objects, found an object"),
        ("a.csv", b"q,a\n1,2\n3\n", r"a\.csv:3: found 1 fields, the header has 2"),
        ("a.csv", b"q,q\n1,2\n", r"a\.csv:1: the column 'q' occurs twice"),
        ("a.csv", b'q,a\n1,"2\n', r"a\.csv:2: not CSV .*is a quote left open"),
        ("a.parquet", b"PAR1 no", r"a\.parquet: not a readable parquet file"),
        ("a.doc", b"x", r"a\.doc: unknown format .* jsonl, json, csv, parquet, txt"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_path_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").touch()
    with pytest.raises(DataError, match=r"no such file .* correct source\.path"):
        read(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match=r"is a folder, expected a file; name one in it \(b\.jsonl\)"):
        read(tmp_path)

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from stacklab.base.errors import DataError
from stacklab.data.record import RowError
from stacklab.data.sources.readers import rows_of
from stacklab.data.sources.spec import FileSpec


def read(path: Path, **settings: Any) -> list[tuple[str, dict[str, Any]]]:
    """Rows with the line or row number that ends their place. Raises the RowError of the first broken one."""
    rows = []
    for place, row in rows_of(FileSpec(path=str(path), **settings)):
        if isinstance(row, RowError):
            raise row
        rows.append((place.removeprefix(str(path)), row))
    return rows


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
        (
            "a.jsonl",
            b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            r"a\.jsonl:1: lists and objects within .* 200 deep",
        ),
        ("a.jsonl", b'{"x": ' + b"[" * 200 + b"]" * 200 + b"}", r"a\.jsonl:1: lists and objects within .* 200 deep"),
        (
            "a.json",
            b'[{"x": ' + b"[" * 200 + b"]" * 200 + b"}]",
            r"a\.json: record 1: lists and objects within .* deep",
        ),
        ("a.jsonl", b'{"x": ' + b"9" * 5000 + b"}", r"a\.jsonl:1: a whole number of more than 4,300 digits"),
        ("a.jsonl", b'{"text": "x"}\n[1]\n', r"a\.jsonl:2: expected an object .*, found a list"),
        ("a.jsonl", b'{"text": "x"}\n\n{"text": "\xff"}\n', r"a\.jsonl:3: not UTF-8"),
        ("a.txt", b"one\ntwo \xe9\n", r"a\.txt:2: not UTF-8"),
        ("a.json", b'[{"text": "x"},\n}', r"a\.json:2:1: not JSON"),
        ("a.json", b'{"text": "x"}', r"a\.json: expected a list of objects, found an object"),
        ("a.csv", b"q,a\n1,2\n3\n", r"a\.csv:3: found 1 fields, the header has 2"),
        ("a.csv", b"q,q\n1,2\n", r"a\.csv:1: the column 'q' occurs twice"),
        ("a.csv", b'q,a\n1,"2\n', r"a\.csv:2: not CSV .*is a quote left open"),
        ("a.parquet", b"PAR1 no", r"a\.parquet: not a readable parquet file"),
        ("a.doc", b"x", r"a\.doc: unknown format .* jsonl, ndjson, json, parquet, csv, tsv, txt"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_every_format_is_read_in_every_marked_encoding_and_packed(
    tmp_path: Path, name: str, encoding: str, ending: str
) -> None:
    rows = [{"text": "eins é", "url": "u"}, {"text": "zwei", "url": "v"}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    contents = {
        "a.jsonl": "\n".join(lines),
        "a.ndjson": "\n".join(lines),
        "a.json": f"[{', '.join(lines)}]",
        "a.csv": "text,url\neins é,u\nzwei,v\n",
        "a.tsv": "text\turl\neins é\tu\nzwei\tv\n",
        "a.txt": "eins é\n\nzwei\n",
    }
    pack = {"": bytes, ".gz": gzip.compress, ".zst": lambda data: pyarrow.compress(data, "zstd", asbytes=True)}[ending]
    (tmp_path / f"{name}{ending}").write_bytes(pack(contents[name].encode(encoding)))
    wanted = [{"text": row["text"]} for row in rows] if name == "a.txt" else rows
    assert [row for _, row in read(tmp_path / f"{name}{ending}")] == wanted


def test_a_packed_parquet_file_is_read(tmp_path: Path) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"text": ["one"]}), tmp_path / "a.parquet")
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert read(tmp_path / "a.parquet.gz") == [(": row 1", {"text": "one"})]


@pytest.mark.parametrize(
    ("header", "settings", "names"),
    [
        ("q;a", {}, ["q", "a"]),
        ("q|a", {}, ["q", "a"]),
        ("q\ta", {}, ["q", "a"]),
        ("q,a;b", {}, ["q", "a;b"]),
        ('"q,x";a', {}, ["q,x", "a"]),
        ("q,a;b", {"delimiter": ";"}, ["q,a", "b"]),
        ("text", {}, ["text"]),
    ],
)
def test_the_delimiter_is_recognised_from_the_header_or_set(
    tmp_path: Path, header: str, settings: dict[str, str], names: list[str]
) -> None:
    path = tmp_path / "a.csv"
    delimiter = settings.get("delimiter") or next((one for one in ",;\t|" if one in header.split('"')[-1]), ",")
    path.write_text(header + "\n" + delimiter.join("x" for _ in names) + "\n", encoding="utf-8")
    ((place, row),) = read(path, **settings)
    assert (place, list(row)) == (":2", names)


def test_fields_beside_a_header_of_one_column_name_the_setting(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\na,b\n")
    with pytest.raises(DataError, match=r"a\.csv:2: found 2 fields, the header has 1; .* set source\.delimiter"):
        read(tmp_path / "a.csv")


def test_broken_rows_do_not_end_the_reading(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "x"}\n{"te\n[1]\n\xff\n{"n": ' + b"1" * 5000 + b'}\n{"text": "y"}\n')
    rows = [row for _, row in rows_of(FileSpec(path=str(tmp_path / "a.jsonl")))]
    assert [row.reason if isinstance(row, RowError) else row["text"] for row in rows] == [
        "x",
        "not JSON",
        "not an object",
        "not UTF-8",
        "not JSON",
        "y",
    ]


def test_a_missing_path_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").touch()
    with pytest.raises(DataError, match=r"no such file .* correct source\.path"):
        read(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match=r"is a folder, expected a file; name one in it \(b\.jsonl\)"):
        read(tmp_path)


def test_a_header_of_100_000_columns_is_read_in_one_pass(tmp_path: Path) -> None:
    """Comparing each name with every other takes minutes."""
    path, columns = tmp_path / "wide.csv", [f"c{number}" for number in range(100_000)]
    path.write_text(f"{','.join(columns)}\n{','.join('x' for _ in columns)}\n")
    assert read(path) == [(":2", dict.fromkeys(columns, "x"))]


def test_rows_nested_as_deeply_as_allowed_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"x": ' + "[" * 198 + "]" * 198 + "}")
    assert len(read(path)) == 1


def test_parquet_rows_that_python_cannot_hold_are_an_error_of_the_file(tmp_path: Path) -> None:
    offsets = pyarrow.py_buffer(struct.pack("<3i", 0, 1, 2))
    broken = pyarrow.StringArray.from_buffers(2, offsets, pyarrow.py_buffer(b"a\xff"))
    pyarrow.parquet.write_table(pyarrow.table({"text": broken}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: not a readable parquet file after 0 rows \('utf-8' codec"):
        read(tmp_path / "a.parquet")

"""Data files in every format, with bytes damaged and with values that do not belong."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from tests.data.corpora import spec_of, stories
from tests.fuzz.mutations import damaged_bytes, damaged_tree, fuzzed, read_or_refused

from stacklab.data.prepare import prepare

TEXTS = stories(30)
PAIRS = [{"question": row["text"], "reasoning": "so", "answer": row["text"][:5]} for row in TEXTS]
CHATS = [
    {"messages": [{"role": "user", "content": row["text"]}, {"role": "assistant", "content": "yes"}]} for row in TEXTS
]


def _csv() -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, PAIRS[0])
    writer.writeheader()
    writer.writerows(PAIRS)
    return file.getvalue().encode()


def _parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(CHATS), file)
    return file.getvalue()


def _lines(rows: list[object]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FILES = {
    "rows.jsonl": _lines([*CHATS]),
    "pairs.jsonl": _lines([*PAIRS]),
    "rows.json": json.dumps(TEXTS).encode(),
    "rows.csv": _csv(),
    "rows.txt": "\n\n".join(row["text"] for row in TEXTS).encode(),
    "rows.parquet": _parquet(),
}

damaged = st.sampled_from(sorted(FILES)).flatmap(
    lambda name: st.tuples(st.just(name), damaged_bytes(FILES[name])),
)
rows = st.sampled_from([TEXTS, PAIRS, CHATS]).flatmap(lambda whole: damaged_tree(whole, most_edits=3))


def check_file(file: tuple[str, bytes]) -> None:
    name, data = file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        read_or_refused(lambda: prepare(spec_of(path), cache=Path(folder, "cache")), place=name)


def check_rows(values: object) -> None:
    check_file(("rows.json", json.dumps(values).encode()))


test_files, test_many_files = fuzzed(check_file, file=damaged)
test_rows, test_many_rows = fuzzed(check_rows, values=rows)

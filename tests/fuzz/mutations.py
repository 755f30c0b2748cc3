"""Damaged files: stored bytes and trees with a few edits each, such as hands, programs and disks make."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from stacklab.base.errors import UserError

BOUNDED = settings(
    max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
"""In every run of the tests, the same examples each time."""
MANY = settings(max_examples=2000, database=None, deadline=None, suppress_health_check=list(HealthCheck))
"""With `pytest -m many`."""

SNIPPETS = (
    *(b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[31m", b"\r", b"\t", b"\n\n", b"\xe2\x80\xa8"),
    *(b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"9" * 40, b"1,234.5", b"null", b"true", b"x" * 3000),
    *(b'"', b"'", b"{", b"}]", b"[" * 200, b": ", b"#", b"&a [*a]", b"!!python/object/apply:os.system [echo]"),
    *(b"${oc.env:HOME}", b"<script>", b"../../x", "é😀".encode()),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2.5, float("nan"), float("inf"), 1e300, 10**30),
    *("", " ", "x", "é\ud800", "1", "nan", "../..", "x" * 3000),
    *([], {}, [[]], [None], {"kind": "x"}, {"": 0}),
)
"""What may stand where something else is expected."""


@st.composite
def damaged_bytes(draw: DrawFn, of: bytes, *, most_edits: int = 3) -> bytes:
    """The bytes with up to `most_edits` spans removed, repeated, moved or replaced, or cut at the end."""
    data = of
    for _ in range(draw(st.integers(1, most_edits))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 1, 2, 8, 64, 1000))))
        edit = draw(st.sampled_from(("insert", "replace", "remove", "repeat", "cut", "line")))
        snippet = draw(st.sampled_from(SNIPPETS))
        if edit == "insert":
            data = data[:start] + snippet + data[start:]
        elif edit == "replace":
            data = data[:start] + snippet + data[end:]
        elif edit == "remove":
            data = data[:start] + data[end:]
        elif edit == "repeat":
            data = data[:end] + data[start:]
        elif edit == "cut":
            data = data[:start]
        else:
            lines = data.splitlines(keepends=True)
            data = b"".join(draw(st.permutations(lines[:40])) + lines[40:])
    return data


@st.composite
def damaged_tree(draw: DrawFn, of: Any, *, most_edits: int = 2, values: tuple[Any, ...] = VALUES) -> Any:
    """A tree of plain values with up to `most_edits` nodes removed, renamed, wrapped, or replaced by other values."""
    tree = [copy.deepcopy(of)]
    for _ in range(draw(st.integers(1, most_edits))):
        holder, key = draw(st.sampled_from(list(_places(tree))))
        edit = draw(st.sampled_from(("replace", "replace", "swap", "remove", "wrap", "rename", "repeat")))
        if edit == "replace" or holder is tree:
            holder[key] = copy.deepcopy(draw(st.sampled_from(values)))
        elif edit == "swap":
            other, place = draw(st.sampled_from(list(_places(tree))))
            holder[key] = copy.deepcopy(other[place])
        elif edit == "remove":
            del holder[key]
        elif edit == "wrap":
            holder[key] = [holder[key]]
        elif isinstance(holder, dict):
            holder[f"{key}x" if edit == "rename" else str(key).upper()] = holder.pop(key)
        else:
            holder.insert(key, copy.deepcopy(holder[key]))
    return tree[0]


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (holder, key or index) of a tree."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])


def fuzzed(check: Callable[..., None], **strategies: SearchStrategy[Any]) -> tuple[Callable[..., None], ...]:
    """Two tests of one check: with few examples, and with many under the marker `many`."""
    few, many = (amount(given(**strategies)(check)) for amount in (BOUNDED, MANY))
    return few, pytest.mark.many(many)


def read_or_refused(read: Callable[[], object], *, place: str) -> None:
    """Call `read`. It returns, or raises one of our own errors: one line that names `place`."""
    try:
        read()
    except UserError as error:
        text = str(error)
        assert place in text, f"the place is missing: {text}"
        assert "\n" not in text, f"more than one line: {text!r}"
        text.encode()

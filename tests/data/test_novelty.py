"""Novelty against brute force, with spans that were planted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacklab.data import novelty
from stacklab.data.novelty import Novelty, novelties


def spelled(ids: object) -> str:
    return " ".join(map(str, ids))  # type: ignore[call-overload]


def slow(text: list[int], stream: list[int]) -> Novelty:
    """By looking at every span of both."""

    def grams(ids: list[int], n: int) -> list[tuple[int, ...]]:
        return [tuple(ids[start : start + n]) for start in range(len(ids) - n + 1)]

    shares, longest = [], ()
    for n in range(1, max(8, len(text)) + 1):
        seen = set(grams(stream, n))
        hits = [gram for gram in grams(text, n) if gram in seen]
        shares.append(len(hits) / len(grams(text, n)) if len(text) >= n else None)
        longest = hits[0] if hits else longest
    return Novelty(
        tokens=len(text), longest_copy=len(longest), longest_copy_text=spelled(longest), shares=tuple(shares[:8])
    )


ids = st.lists(st.integers(0, 3), max_size=30)


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(ids, min_size=1, max_size=4), stream=st.lists(st.integers(0, 4), min_size=1, max_size=120))
def test_it_equals_brute_force_across_chunks(texts: list[list[int]], stream: list[int]) -> None:
    kept, novelty.CHUNK = novelty.CHUNK, 7
    try:
        found = novelties(texts, np.array(stream, dtype=np.uint16), decode=spelled)
    finally:
        novelty.CHUNK = kept
    assert found == [slow(text, stream) for text in texts]


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_a_planted_copy_is_found_to_its_ends(dtype: type) -> None:
    """Half the ids are never seen in training; one copy reaches the stream's end and one is the whole text."""
    rng = np.random.default_rng(0)
    stream = rng.integers(0, 30_000, 5000).astype(dtype)
    fresh = rng.integers(30_000, 60_000, 200)
    middle = [*fresh[:50], *stream[1000:1070], *fresh[50:90]]
    tail = [*fresh[:5], *stream[-40:], *stream[:3]]
    whole = stream[2000:2300].tolist()
    found = novelties([middle, tail, whole, fresh.tolist(), []], stream, decode=spelled)
    assert [one.longest_copy for one in found] == [70, 40, 300, 0, 0]
    assert found[0].longest_copy_text == spelled(stream[1000:1070])
    assert found[0].shares[3] == pytest.approx(67 / 157)
    assert found[2].shares == (1.0,) * 8 and found[3].shares == (0.0,) * 8 and found[4].shares == (None,) * 8


def test_a_token_changed_in_a_copy_cuts_it() -> None:
    stream = np.arange(1000, dtype=np.uint16) % 997
    text = stream[100:200].tolist()
    text[60] = 996
    (found,) = novelties([text], stream, decode=spelled)
    assert (found.longest_copy, found.longest_copy_text) == (60, spelled(range(100, 160)))

"""How much of a generated text occurs in the training split: exact, in one pass over it, without an index."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stacklab.base.spec import Items, Spec

LONGEST_GRAM = 8
"""Shares of n-grams are computed for n = 1 to this."""

CHUNK = 2**20
"""Tokens of the training split processed at a time: bounds the memory."""

Numbers = NDArray[np.int64]


class Novelty(Spec):
    """How much of a text occurs in the training split.

    tokens: number of tokens of the text.
    longest_copy: length in tokens of its longest span that occurs there; `longest_copy_text` is the first such span.
    shares: the share of its n-grams that occur there, for n = 1 to 8; None where the text has fewer than n tokens.
    """

    tokens: int
    longest_copy: int
    longest_copy_text: str
    shares: Items[float | None]


def novelties(
    texts: Sequence[Sequence[int]], stream: np.ndarray, *, decode: Callable[[Iterable[int]], str]
) -> list[Novelty]:
    """The novelty of every text of ids against the training split's `stream` [tokens].

    From every place of the stream, n-grams are extended (n = 1, 2, ...) as long as some text contains them. Few places
    get far, so that most of the work is done after two or three tokens.
    """
    laid = _LaidOut(texts)
    levels = [laid.single()]
    while len(levels) < LONGEST_GRAM:
        levels.append(laid.longer(levels[-1]))
    places, numbers = _followed(laid, levels, stream)
    longest = np.zeros((len(texts), 2), dtype=np.int64)
    shares = np.stack([laid.shares(grams, longest) for grams in levels], 1)
    grams = levels[-1]
    while len(places):
        grams = laid.longer(grams)
        inside = places < len(stream) - grams.length + 1
        places, numbers = places[inside], numbers[inside]
        places, numbers = laid.follow(grams, places, numbers, laid.number(stream[places + grams.length - 1]))
        laid.shares(grams, longest)
    results = []
    for row, text in enumerate(texts):
        length, start = longest[row].tolist()
        copy = decode(text[start : start + length]) if length else ""
        known = tuple(None if np.isnan(share) else share for share in shares[row].tolist())
        results.append(Novelty(tokens=len(text), longest_copy=length, longest_copy_text=copy, shares=known))
    return results


@dataclass
class _Grams:
    """The n-grams of all texts, numbered so that equal n-grams have one number.

    codes: [G], ascending: number of the first n - 1 tokens times the vocabulary's size, plus the last token.
    starts: [W], where every occurrence begins. numbers: [W], the gram that it is of.
    """

    length: int
    codes: Numbers
    starts: Numbers
    numbers: Numbers
    seen: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = np.zeros(len(self.codes), dtype=np.bool_)


class _LaidOut:
    """All texts concatenated, with tokens renumbered from 0."""

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        joined = np.array([token for text in texts for token in text], dtype=np.int64)
        kept, self.tokens = np.unique(joined, return_inverse=True)
        self.size = len(kept)
        self.text = np.repeat(np.arange(len(texts)), lengths)
        self.begin = (np.cumsum(lengths) - lengths)[self.text]
        self.room = self.begin + lengths[self.text] - np.arange(len(joined))
        self.count = len(texts)
        # The last row is for all ids of the stream that lie above those of the texts.
        self.table = np.full(int(joined.max(initial=-1)) + 2, -1)
        self.table[kept] = np.arange(self.size)

    def number(self, ids: np.ndarray) -> Numbers:
        """The texts' number for each id, -1 for those that no text has."""
        return self.table[np.minimum(ids.astype(np.int64), len(self.table) - 1)]

    def single(self) -> _Grams:
        return _Grams(1, np.arange(self.size), np.arange(len(self.tokens)), self.tokens)

    def longer(self, grams: _Grams) -> _Grams:
        """The grams of one more token."""
        length = grams.length + 1
        fits = self.room[grams.starts] >= length
        starts = grams.starts[fits]
        codes, numbers = np.unique(
            grams.numbers[fits] * self.size + self.tokens[starts + length - 1], return_inverse=True
        )
        return _Grams(length, codes, starts, numbers)

    def follow(self, grams: _Grams, places: Numbers, numbers: Numbers, last: Numbers) -> tuple[Numbers, Numbers]:
        """The stream's places that continue with a gram of the texts, and that gram; those grams are marked as seen.

        numbers: the shorter gram at each place. last: the number of the token that follows it there.
        """
        wanted = numbers * self.size + last
        index = np.searchsorted(grams.codes, wanted)
        hit = (last >= 0) & (index < len(grams.codes))
        hit[hit] = grams.codes[index[hit]] == wanted[hit]
        grams.seen[index[hit]] = True
        return places[hit], index[hit]

    def shares(self, grams: _Grams, longest: Numbers) -> NDArray[np.float64]:
        """The share of each text's grams that was seen, NaN where it has none. For texts with a seen gram, its length
        and first start are written to `longest` [texts, 2]."""
        seen, owner = grams.seen[grams.numbers], self.text[grams.starts]
        rows, first = np.unique(owner[seen], return_index=True)
        starts = grams.starts[seen][first]
        longest[rows] = np.stack((np.full(len(rows), grams.length), starts - self.begin[starts]), 1)
        counts = np.bincount(owner, minlength=self.count)
        hits = np.bincount(owner[seen], minlength=self.count)
        with np.errstate(invalid="ignore"):
            return hits / counts


def _followed(laid: _LaidOut, levels: Sequence[_Grams], stream: np.ndarray) -> tuple[Numbers, Numbers]:
    """Mark the seen grams of every level; return the places of the stream with a gram of the last level, and that
    gram."""
    kept_places, kept_numbers = [], []
    for begin in range(0, len(stream), CHUNK):
        tokens = laid.number(stream[begin : begin + CHUNK + len(levels) - 1])
        # No gram extends beyond the end of the stream.
        tokens = np.concatenate((tokens, np.full(len(levels) - 1, -1)))
        places = np.flatnonzero(tokens[:CHUNK] >= 0)
        numbers = tokens[places]
        levels[0].seen[numbers] = True
        for grams in levels[1:]:
            places, numbers = laid.follow(grams, places, numbers, tokens[places + grams.length - 1])
        kept_places.append(places + begin)
        kept_numbers.append(numbers)
    return np.concatenate(kept_places), np.concatenate(kept_numbers)

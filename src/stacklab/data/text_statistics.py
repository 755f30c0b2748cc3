"""How varied a set of texts is: words, n-grams, repeats, and how close one set is to another.

Serves tests and the page docs/stories.md only; no command calls it.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


@dataclass(frozen=True)
class TextStatistics:
    """`share_distinct_ngrams`: different n-grams per n-gram; no n-gram spans two texts. 0 where there is none."""

    texts: int
    duplicates: int
    words: int
    fewest_words: int
    most_words: int
    vocabulary: int
    type_token_ratio: float
    distinct_ngrams: int
    share_distinct_ngrams: float


def words_of(text: str) -> list[str]:
    """The words of a text in order, in lower case, without punctuation.

    >>> words_of('"Oh no!" cried Mia. It was gone.')
    ['oh', 'no', 'cried', 'mia', 'it', 'was', 'gone']
    """
    return [word.lower() for word in _WORD.findall(text)]


def ngrams(words: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    """All runs of n words."""
    return zip(*(words[start:] for start in range(n)), strict=False)


def text_statistics(texts: Sequence[str], *, n: int = 8) -> TextStatistics:
    """Statistics of at least one text. All n-grams are held in memory: about 100 bytes per word."""
    words = [words_of(text) for text in texts]
    total = sum(map(len, words))
    different = {gram for one in words for gram in ngrams(one, n)}
    grams = sum(max(0, len(one) - n + 1) for one in words)
    vocabulary = len({word for one in words for word in one})
    return TextStatistics(
        texts=len(texts),
        duplicates=len(texts) - len(set(texts)),
        words=total,
        fewest_words=min(map(len, words)),
        most_words=max(map(len, words)),
        vocabulary=vocabulary,
        type_token_ratio=vocabulary / max(1, total),
        distinct_ngrams=len(different),
        share_distinct_ngrams=len(different) / max(1, grams),
    )


def entropy_bits(labels: Iterable[str]) -> float:
    """Entropy of the labels' frequencies; log2(k) for k equally frequent labels."""
    counts = Counter(labels)
    total = counts.total()
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def nearest_shares(texts: Sequence[str], others: Sequence[str], *, n: int = 8) -> list[float]:
    """For each text: the largest share of its different n-grams that any single one of `others` holds.

    1 is a copy; a near-duplicate is close to it. For a text shorter than n words the share is 0.
    """
    holders: dict[tuple[str, ...], list[int]] = {}
    for index, other in enumerate(others):
        for gram in set(ngrams(words_of(other), n)):
            holders.setdefault(gram, []).append(index)
    shares = []
    for text in texts:
        own = set(ngrams(words_of(text), n))
        counts = Counter(index for gram in own for index in holders.get(gram, ()))
        shares.append(max(counts.values(), default=0) / max(1, len(own)))
    return shares

import math

import pytest

from stacklab.data.text_statistics import entropy_bits, nearest_shares, text_statistics


def test_counts_of_two_small_texts() -> None:
    told = text_statistics(["The cat sat. The cat ran.", "the cat sat", "the cat sat"], n=2)
    assert (told.texts, told.duplicates, told.words, told.fewest_words, told.most_words) == (3, 1, 12, 3, 6)
    assert (told.vocabulary, told.type_token_ratio) == (4, pytest.approx(1 / 3))
    # the-cat, cat-sat, sat-the, cat-ran among 5 + 2 + 2 pairs; none spans two texts
    assert (told.distinct_ngrams, told.share_distinct_ngrams) == (4, pytest.approx(4 / 9))


def test_a_text_too_short_for_an_ngram_has_none() -> None:
    assert text_statistics(["a b"], n=3).share_distinct_ngrams == 0
    assert nearest_shares(["a b"], ["a b"], n=3) == [0]


def test_entropy_is_that_of_the_shares() -> None:
    assert entropy_bits("aabbccdd") == pytest.approx(2)
    assert entropy_bits("aaab") == pytest.approx(-(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)))


def test_the_nearest_other_text_counts_not_all_together() -> None:
    text = "one two three four five"
    assert nearest_shares([text], [text], n=2) == [1]
    assert nearest_shares([text], ["one two three", "three four five"], n=2) == [pytest.approx(0.5)]
    assert nearest_shares([text], [], n=2) == [0]

"""The unigram loss against counts by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

import stacklab.data.prepared as unigram
from stacklab.base.canon import with_sum, without_sum
from stacklab.base.files import read_json, write_json
from stacklab.data.prepared import PreparedData, cross_entropy, token_counts, unigram_loss


@pytest.fixture
def data(tmp_path: Path) -> PreparedData:
    """Training ids 0 0 0 1; validation ids 1 0 2 | 0 1 in blocks of two, so that 0 2 0 1 are predicted."""
    for split, ids in {"train": [0, 0, 0, 1], "validation": [1, 0, 2, 0, 1]}.items():
        np.array(ids, dtype="<u2").tofile(tmp_path / f"{split}.bin")
    splits = {name: {"bytes_per_token": 1.0} for name in ("train", "validation")}
    return PreparedData(tmp_path, {"vocab_size": 3, "block_size": 2, "splits": splits})


BY_HAND = -(2 * math.log(4 / 7) + math.log(2 / 7) + math.log(1 / 7)) / 4
"""Counts plus one: 4, 2, 1 of 7."""


def test_it_is_the_cross_entropy_counted_by_hand(data: PreparedData) -> None:
    assert unigram_loss(data) == pytest.approx(BY_HAND, rel=1e-12)


def test_it_is_computed_once_and_again_from_a_damaged_file(data: PreparedData) -> None:
    unigram_loss(data)
    kept = data.folder / unigram.FILE
    assert without_sum(read_json(kept)) == {"validation_loss": pytest.approx(BY_HAND)}
    write_json(kept, with_sum({"validation_loss": 1.25}))
    assert unigram_loss(data) == 1.25
    for damaged in ("{", "{}", "[]", '{"validation_loss": "much"}', '{"validation_loss": 1, "sum": "0"}'):
        kept.write_text(damaged)
        assert unigram_loss(data) == pytest.approx(BY_HAND)


def test_counts_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(1).integers(0, 7, 1000)
    whole = token_counts(ids, 9)
    monkeypatch.setattr(unigram, "CHUNK", 64)
    assert token_counts(ids, 9).tolist() == whole.tolist() == np.bincount(ids, minlength=9).tolist()


def test_equal_frequencies_cost_the_logarithm_of_the_vocabulary() -> None:
    assert cross_entropy(np.full(8, 5), np.arange(8)) == pytest.approx(math.log(8))

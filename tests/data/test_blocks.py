from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacklab.data.blocks import Blocks, SplitWriter
from stacklab.data.cover import Encoded
from stacklab.data.prepared import bits_per_byte
from stacklab.data.tokenizers.codec import Compact


@given(st.integers(1, 9), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=80))
def test_blocks_one_after_another_are_the_stream(block_size: int, ids: list[int]) -> None:
    blocks = Blocks(np.array(ids, dtype="<u4"), block_size, 1.0)
    got = blocks.get(np.arange(blocks.num_blocks))
    assert got.shape == (blocks.num_blocks, block_size + 1)
    assert got.dtype == np.int64
    covered = blocks.num_blocks * block_size
    assert got[:, :-1].ravel().tolist() == ids[:covered]
    assert got[:, 1:].ravel().tolist() == ids[1 : covered + 1]
    assert len(ids) - 1 - covered < block_size  # nothing but an incomplete block is left over


def test_a_block_that_is_not_there_is_refused() -> None:
    blocks = Blocks(np.arange(9), 4, 1.0)
    assert blocks.get(np.array([1, 0, 1]))[:, 0].tolist() == [4, 0, 4]
    for wrong in (-1, 2):
        with pytest.raises(IndexError):
            blocks.get(np.array([wrong]))


def test_a_writer_counts_and_renumbers(tmp_path: Path) -> None:
    writer = SplitWriter(tmp_path / "train.bin", 70_000)
    writer.add(Encoded(np.array([5, 69_999, 5], dtype=np.uint32), 4))
    writer.add(Encoded(np.array([7], dtype=np.uint32), 1))
    writer.close()
    assert np.fromfile(tmp_path / "train.bin", dtype="<u4").tolist() == [5, 69_999, 5, 7]
    assert (writer.records, writer.tokens, writer.text_bytes) == (2, 4, 5)
    assert {int(i): int(n) for i, n in enumerate(writer.counts) if n} == {5: 2, 7: 1, 69_999: 1}
    writer.renumber(Compact(np.array([5, 69_999], dtype=np.uint32)))
    assert np.fromfile(tmp_path / "train.bin", dtype="<u2").tolist() == [0, 1, 0, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["train.bin"]


def test_bits_per_byte_of_a_uniform_guess_over_bytes_is_eight() -> None:
    assert bits_per_byte(float(np.log(256)), 1.0) == pytest.approx(8.0)
    assert bits_per_byte(float(np.log(2)), 4.0) == pytest.approx(0.25)

"""Which sequences of a text a run trains on."""

import numpy as np
from tests.run.conftest import Bench

from stacklab.run.feeds.feed import open_feed


def test_windows_overlap_and_blocks_do_not(bench: Bench) -> None:
    def places(sequences: str) -> set[int]:
        """The remainders, by the length of a block, of where the first batches begin in the training text."""
        bench.data = bench.data.model_copy(update={"sequences": sequences})
        feed = open_feed(bench.spec(batch_size=4), cache=bench.out.cache)
        rows = np.concatenate([feed.batch(step).inputs for step in range(40)])
        windows = np.lib.stride_tricks.sliding_window_view(bench.prepared.train.stream, 32)
        found = [np.flatnonzero((windows == row).all(axis=1)) for row in rows]
        return {int(one[0] % 32) for one in found if len(one) == 1}

    assert places("blocks") == {0}
    assert len(places("windows")) > 20


def test_the_probe_and_the_held_out_sequences_stay_blocks(bench: Bench) -> None:
    feeds = []
    for sequences in ("blocks", "windows"):
        bench.data = bench.data.model_copy(update={"sequences": sequences})
        feeds.append(open_feed(bench.spec(), cache=bench.out.cache))
    assert (feeds[0].probe_BT == feeds[1].probe_BT).all()
    assert (feeds[0].batch(3).inputs != feeds[1].batch(3).inputs).any()

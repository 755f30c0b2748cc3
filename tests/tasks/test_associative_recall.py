from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.associative_recall import AssociativeRecall


@settings(deadline=None)
@given(
    pairs=st.integers(2, 5),
    pool=st.integers(5, 7),
    spare=st.integers(0, 9),
    exponent=st.floats(0.01, 1),
    stride=st.integers(1, 3),
    filler=st.sampled_from(["blank", "random"]),
)
def test_any_size(pairs: int, pool: int, spare: int, exponent: float, stride: int, filler: Any) -> None:
    task = AssociativeRecall(
        keys=pool,
        values=pool,
        pairs=pairs,
        sequence_length=2 * pairs + stride * pairs + spare,
        power_a=exponent,
        query_stride=stride,
        filler=filler,
    )
    check_task(task)


def test_every_pair_is_asked_once_and_values_differ() -> None:
    batch = AssociativeRecall(keys=8, values=8, pairs=8).draw(stream(), 100)
    for tokens, targets in zip(batch.tokens_BT.tolist(), batch.targets_BT.tolist(), strict=True):
        assert sorted(target for target in targets if target >= 0) == sorted(tokens[1:16:2]) == list(range(8, 16))


@pytest.mark.parametrize("exponent", [0.2, 1.0])
def test_places_are_taken_by_their_weight(exponent: float) -> None:
    """Two of three places, drawn one by one: each place's share is known exactly."""
    weight = np.arange(1.0, 4.0) ** (exponent - 1)
    weight /= weight.sum()
    first, then = weight, [sum(weight[j] * weight[i] / (1 - weight[j]) for j in range(3) if j != i) for i in range(3)]
    task = AssociativeRecall(pairs=2, sequence_length=7, power_a=exponent)
    taken = task.draw(stream(), 20_000).scored_BT[:, 4:].mean(axis=0)
    np.testing.assert_allclose(taken, first + np.array(then), atol=0.015)


def test_settings_added_later_are_left_out_of_dumps_at_their_defaults() -> None:
    """The fingerprints of runs over this task stay."""
    assert AssociativeRecall().dump() == {
        "kind": "associative-recall",
        "keys": 64,
        "values": 64,
        "pairs": 4,
        "sequence_length": 64,
        "power_a": 0.01,
    }


@pytest.mark.parametrize(("pairs", "length", "share"), [(4, 64, 0.73), (8, 128, 0.90), (16, 256, 0.98)])
def test_the_distribution_is_that_of_zoology(pairs: int, length: int, share: float) -> None:
    """Its generator with power_a 0.01: share of sequences that are asked directly after the pairs, and parities."""
    sizes: dict[str, Any] = {"keys": 64, "values": 64, "pairs": pairs, "sequence_length": length}
    task = AssociativeRecall(**sizes, query_stride=2, filler="random")
    scored_BT = task.draw(stream(), 4000).scored_BT
    assert scored_BT[:, 2 * pairs].mean() == pytest.approx(share, abs=0.02)
    assert not scored_BT[:, 2 * pairs + 1 :: 2].any()


def test_random_fillers_are_all_values_and_all_other_keys() -> None:
    task = AssociativeRecall(keys=6, values=5, pairs=3, filler="random")
    batch = task.draw(stream(), 2000)
    shares = np.zeros(task.vocab_size)
    for tokens, scored in zip(batch.tokens_BT, batch.scored_BT, strict=True):
        fillers = tokens[6:][~scored[6:]]
        assert not set(fillers) & set(tokens[0:6:2])
        shares += np.bincount(fillers, minlength=task.vocab_size)
    shares /= shares.sum()
    np.testing.assert_allclose(shares[:6], 1 / 16, atol=0.004)  # half of the sequences can hold it, 8 ids each
    np.testing.assert_allclose(shares[6:11], 1 / 8, atol=0.004)
    assert shares[11] == 0


def test_which_pair_is_asked_first_is_left_to_chance() -> None:
    batch = AssociativeRecall(pairs=4).draw(stream(), 4000)
    first_query_B = batch.tokens_BT[np.arange(4000), batch.scored_BT.argmax(axis=1)]
    pair_B = (batch.tokens_BT[:, 0:8:2] == first_query_B[:, None]).argmax(axis=1)
    assert abs(np.bincount(pair_B) - 1000).max() < 6 * 1000**0.5


def test_the_slice_is_the_octave_of_the_distance() -> None:
    batch = AssociativeRecall(power_a=1.0).draw(stream(), 300)
    for tokens, slices in zip(batch.tokens_BT.tolist(), batch.slice_BT.tolist(), strict=True):
        for place, octave in enumerate(slices):
            if octave >= 0:
                assert 2**octave <= place - tokens.index(tokens[place]) < 2 ** (octave + 1)


def test_the_baseline_is_one_of_the_pairs() -> None:
    assert baselines_of(AssociativeRecall(pairs=5), 500)["one of the values present"] == pytest.approx(1 / 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": 3}, "4 pairs need 4 different keys; keys is 3"),
        ({"values": 3}, "4 pairs need 4 different values; values is 3"),
        ({"sequence_length": 11}, "4 pairs take 8 places and their queries 4 more; sequence_length is 11"),
        (
            {"sequence_length": 16, "query_stride": 3},
            "4 queries on one place in 3 need 4 of the 3 places after the pairs; lower query_stride or raise",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AssociativeRecall.model_validate(change)

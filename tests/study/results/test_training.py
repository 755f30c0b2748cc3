"""Each rule on planted curves, on either side of its threshold."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from stacklab.study.results.short import Curve, hardly_learned, still_falling

STEPS = 100


def curve(loss: Callable[[float], float], *, every: int = 10) -> Curve:
    """Evaluations every so many steps; the loss is a function of the share of the steps done."""
    return [(step, loss(step / STEPS)) for step in range(0, STEPS + 1, every)]


def ending(fall: float) -> Curve:
    """From 4.0 at 80 % by a share `fall` in a line to the end."""
    return curve(lambda done: 4.0 * (1 - fall * (done - 0.8) / 0.2) if done > 0.8 else 4.0 + 2 * (0.8 - done))


def test_a_rising_a_flat_and_an_overfitting_loss_do_not_fall() -> None:
    assert still_falling([curve(lambda done: 3 + done)] * 3, STEPS) is False
    assert still_falling([curve(lambda done: 3.0)] * 3, STEPS) is False
    assert still_falling([curve(lambda done: 3 + (done - 0.6) ** 2)] * 3, STEPS) is False


@pytest.mark.parametrize(("fall", "falling"), [(0.0099, False), (0.0101, True), (0.3, True)])
def test_the_fall_of_the_last_fifth_is_held_against_one_per_cent(fall: float, falling: bool) -> None:
    assert still_falling([ending(fall)] * 3, STEPS) is falling
    assert still_falling([ending(fall)], STEPS) is falling


def test_the_fall_must_exceed_two_standard_errors_over_seeds() -> None:
    # Falls of 2 % with a standard error of 0.98 % or 1.02 % of the loss.
    for spread, falling in ((0.0098 * math.sqrt(2), True), (0.0102 * math.sqrt(2), False)):
        shares = [0.02 - spread / math.sqrt(2), 0.02 + spread / math.sqrt(2)]
        assert still_falling([ending(share) for share in shares], STEPS) is falling


def test_the_last_evaluation_must_be_the_best_at_every_seed() -> None:
    falling = ending(0.05)
    dented = [*falling[:-2], (90, falling[-1][1]), falling[-1]]
    assert still_falling([falling, falling, falling], STEPS) is True
    assert still_falling([falling, falling, dented], STEPS) is False


def test_noise_about_a_flat_loss_seldom_falls() -> None:
    random = np.random.default_rng(0)
    said = [
        still_falling([curve(lambda done: 3 + random.normal(0, 0.05)) for _ in range(3)], STEPS) for _ in range(200)
    ]
    assert sum(map(bool, said)) <= 4


@pytest.mark.parametrize(("every", "known"), [(100, False), (50, True), (25, True)])
def test_too_few_evaluations_leave_it_open(every: int, known: bool) -> None:
    falling = curve(lambda done: 5 - done, every=every)
    assert still_falling([falling] * 3, STEPS) is (True if known else None)
    assert still_falling([[]], STEPS) is None


def test_runs_that_solved_leave_nothing_to_fall() -> None:
    assert still_falling([], STEPS) is False


@pytest.mark.parametrize(("loss", "hardly"), [(4.899, False), (4.901, True), (5.1, True)])
def test_a_loss_must_be_two_per_cent_below_that_of_word_frequencies(loss: float, hardly: bool) -> None:
    assert hardly_learned(loss, unigram=5.0, vocab_size=50_000) is hardly


def test_without_data_a_loss_must_be_a_tenth_below_that_of_a_uniform_model() -> None:
    uniform = math.log(512)
    assert hardly_learned(0.901 * uniform, unigram=None, vocab_size=512)
    assert not hardly_learned(0.899 * uniform, unigram=None, vocab_size=512)

"""The search for a control of equal step time, on planted times."""

import random

import pytest

from stacklab.base.errors import MatchError
from stacklab.study.planning.match_step_time import MOST_TIMINGS, TimedCandidate, check_within, search


def flops(number: int) -> int:
    return 1000 * number + 3 * number * number


class Machine:
    """A step takes `base` seconds and so much a FLOP; each timing is off by up to `noise`, all by more."""

    def __init__(self, *, base: float = 0.0, noise: float = 0.0, target: float = 1.0) -> None:
        self.base, self.noise, self.target = base, noise, target
        self.random = random.Random(1)
        self.timed: list[int] = []

    def seconds(self, number: int) -> float:
        return self.base + flops(number) * 1e-6

    def time(self, number: int) -> TimedCandidate:
        self.timed.append(number)
        swings = [self.random.uniform(1, 3) for _ in range(9)]
        rows = [[swing * each * self._off() for swing in swings] for each in (self.target, self.seconds(number))]
        return TimedCandidate(value=number, target=tuple(rows[0]), control=tuple(rows[1]))

    def _off(self) -> float:
        return 1 + self.random.uniform(-self.noise, self.noise)


@pytest.mark.parametrize("base", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("first", [1, 150, 4000])
@pytest.mark.parametrize("noise", [0.0, 0.04])
def test_a_planted_time_is_found_from_any_first_guess(base: float, first: int, noise: float) -> None:
    machine = Machine(base=base, noise=noise)
    trials = search(machine.time, flops, first=first, limit=10**6, tolerance=0.05)
    nearest = check_within(trials, tolerance=0.05, knob="model.d_ff", target="deep")
    assert abs(machine.seconds(nearest.value) - 1) <= (0.051 if noise == 0 else 0.08)
    assert len(machine.timed) <= MOST_TIMINGS


def test_what_is_chosen_was_timed_twice_and_both_timings_count() -> None:
    machine = Machine(target=0.003)
    (best, *_) = search(machine.time, flops, first=3, limit=10, tolerance=0.05)
    assert (best.value, len(best.target), machine.timed) == (3, 18, [3, 3])
    assert best.residual == pytest.approx(0.009)


def test_a_coarse_knob_names_the_nearest_on_either_side() -> None:
    machine = Machine(target=0.0025)
    trials = search(machine.time, flops, first=1, limit=100, tolerance=0.01)
    with pytest.raises(
        MatchError, match=r"model\.num_layers .* within 1\.0% of that of deep .*; nearest: 2 \(-19.5%\) and 3 "
    ):
        check_within(trials, tolerance=0.01, knob="model.num_layers", target="deep")
    assert len(machine.timed) < 6


def test_a_knob_that_cannot_reach_the_target_names_the_nearest_value() -> None:
    slow = search(Machine(base=2.0).time, flops, first=50, limit=100, tolerance=0.05)
    with pytest.raises(MatchError, match=r"nearest: 1 \(\+100\.\d%\); widen"):
        check_within(slow, tolerance=0.05, knob="model.d_ff", target="deep")
    fast = search(Machine(target=5.0).time, flops, first=50, limit=100, tolerance=0.05)
    with pytest.raises(MatchError, match=r"nearest: 100 \(-97\.4%\); widen"):
        check_within(fast, tolerance=0.05, knob="model.d_ff", target="deep")

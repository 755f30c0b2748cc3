"""Blocks in turn, over a clock that only they move."""

import pytest

from stacklab.run.timing import rounds


class Clock:
    """Stands for the module time."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(rounds, "time", fake)
    return fake


def test_the_order_is_reversed_from_round_to_round(clock: Clock) -> None:
    order: list[str] = []

    def block(name: str, seconds: float) -> float:
        order.append(name)
        clock.now += seconds
        return seconds

    blocks = [lambda: block("a", 1.0), lambda: block("b", 2.0), lambda: block("c", 3.0)]
    assert rounds.in_turn(blocks, fewest=3, most=9, seconds=0.0) == [[1.0] * 3, [2.0] * 3, [3.0] * 3]
    assert "".join(order) == "abccbaabc"


@pytest.mark.parametrize(("seconds", "number"), [(0.0, 3), (4.5, 5), (99.0, 8)])
def test_rounds_end_after_the_time_within_limits(clock: Clock, seconds: float, number: int) -> None:
    def block() -> float:
        clock.now += 1.0
        return 1.0

    assert rounds.in_turn([block], fewest=3, most=8, seconds=seconds) == [[1.0] * number]


@pytest.mark.parametrize(("each", "count"), [(0.04, 4), (0.2, 1), (0.001, 20)])
def test_a_block_lasts_as_long_as_wanted_within_limits(each: float, count: int) -> None:
    calls: list[int] = []

    def repeat(number: int) -> float:
        calls.append(number)
        return each

    assert rounds.sized(repeat, seconds=0.15, most=20)() == each
    assert calls == [1, 1, count]

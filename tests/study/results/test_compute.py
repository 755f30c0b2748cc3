"""Effective compute on planted curves whose crossing is known."""

import math

import pytest

from stacklab.stats.result import Undefined
from stacklab.study.results.compute import ArmCurves, Curve, EffectiveCompute, effective_compute, flops_to


def line(start: float, slope: float, *, per_step: float = 1.0) -> Curve:
    return [(per_step * step, start - slope * step) for step in range(0, 101, 10)]


def arms(better: list[Curve], worse: list[Curve]) -> tuple[ArmCurves, ArmCurves]:
    return ArmCurves("deep", "two layers", dict(enumerate(better, 1))), ArmCurves(
        "wide", "one layer", dict(enumerate(worse, 1))
    )


def test_twice_as_fast_a_fall_saves_half_and_costly_steps_count() -> None:
    slow = line(6, 0.01)
    half = effective_compute(*arms([line(6, 0.02)], [slow]))
    assert isinstance(half, EffectiveCompute)
    assert (half.better, half.times, half.low, half.high, half.n) == ("deep", *[pytest.approx(2)] * 3, 1)
    dear = effective_compute(*arms([line(6, 0.02, per_step=4)], [slow]))
    assert isinstance(dear, EffectiveCompute) and dear.times == pytest.approx(0.5)


def test_the_better_arm_may_be_either_and_seeds_are_averaged_geometrically() -> None:
    deep, wide = arms([line(6, 0.02), line(6, 0.08)], [line(6, 0.01)] * 2)
    for one, other in ((deep, wide), (wide, deep)):
        found = effective_compute(one, other)
        assert isinstance(found, EffectiveCompute)
        # 100 against 50, and against 12.5, half way between two evaluations.
        assert (found.better, found.n) == ("deep", 2)
        assert (found.low, found.high, found.times) == tuple(map(pytest.approx, (2, 8, math.sqrt(16))))


def test_a_curve_that_rises_again_counts_from_where_it_first_was() -> None:
    assert flops_to([(0, 6), (10, 4), (20, 5), (30, 3)], 3.5) == pytest.approx(25), "a line from the running minimum"
    overfit = [(0, 6.0), (10, 5.0), (20, 4.0), (30, 4.5), (40, 5.0)]
    found = effective_compute(*arms([line(6, 0.05)], [[(0, 6.0), (5, 5.5), *overfit[1:]]]))
    assert isinstance(found, EffectiveCompute) and found.times == pytest.approx(10 / 20)


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        ([], [], "there are no curves of loss to compare"),
        ([[]], [line(6, 0.01)], "there are no curves of loss to compare"),
        ([line(6, 0.01)], [line(6, 0.01)], "both arms have the same mean final loss"),
        (
            [line(6, 0.04), line(6, 0.005)],
            [line(6, 0.01)] * 2,
            "two layers seed 2 never reached the final loss of one layer",
        ),
        (
            [line(6, 0.5)],
            [line(6, 0.01)],
            "two layers seed 1 had, by its first evaluation after the start, reached the final loss of one layer",
        ),
        (
            [[(0, 6), (10, 5.95), (20, 4)]],
            [[(0, 6), (10, 5.9), (20, 5.9)]],
            "one layer seed 1 was not better at its end than when first evaluated",
        ),
    ],
)
def test_curves_that_do_not_allow_it_say_why(better: list[Curve], worse: list[Curve], reason: str) -> None:
    assert effective_compute(*arms(better, worse)) == Undefined(reason=reason)

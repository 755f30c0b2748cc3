"""Noise, gaps and the order of the data, on logs whose truth is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stacklab.audit.findings.losses import gap_finding, noise_findings, order_finding
from stacklab.audit.findings.trend import Noise, detrend
from stacklab.audit.findings.validation import apart_finding, best_finding, overfitting_finding
from stacklab.audit.reading.log import Log
from stacklab.base.streams import numpy_stream
from stacklab.stats.result import Estimate, Undefined

LogOf = Callable[..., Log]
STEPS = tuple(range(1, 501, 25))
CURVE = 3 + 7 * np.exp(-np.array(STEPS) / 60)
TRUE_GAPS = -np.array(STEPS) / 1000
SIMULATIONS = 200


def noise(name: str, *shape: int) -> np.ndarray:
    return numpy_stream(0, "test-audit", name).normal(0, 0.3, shape)


def test_the_spread_is_that_of_the_noise_and_not_of_the_trend(log_of: LogOf) -> None:
    draws = noise("spread", SIMULATIONS, len(STEPS))
    spreads = [noise_findings(log_of("a", STEPS, train=CURVE + draw), "train")[0].numbers["spread"] for draw in draws]
    assert np.mean(spreads) == pytest.approx(0.3, abs=0.01)


def test_the_intervals_of_gaps_cover_the_true_gap_as_often_as_they_say(log_of: LogOf) -> None:
    last = mean = 0
    for first, second in noise("gaps", SIMULATIONS, 2, len(STEPS)):
        found = gap_finding(
            log_of("a", STEPS, train=CURVE + first), log_of("b", STEPS, train=CURVE + TRUE_GAPS + second), "train"
        )
        assert isinstance(found.result, Estimate)
        last += found.result.low <= TRUE_GAPS[-1] <= found.result.high
        window = int(found.numbers["window"])
        mean += found.numbers["mean_gap_low"] <= TRUE_GAPS[-window:].mean() <= found.numbers["mean_gap_high"]
    assert 0.91 <= last / SIMULATIONS <= 0.99
    assert 0.91 <= mean / SIMULATIONS <= 0.99


def test_noise_that_lingers_widens_the_interval_of_the_mean(log_of: LogOf) -> None:
    steps = tuple(range(1, 201))
    white = noise("lingering", len(steps))
    lingering = np.convolve(white, np.ones(3) / 3**0.5, mode="same")
    widths = []
    for draw in (white, lingering):
        found = gap_finding(log_of("a", steps, train=0 * draw), log_of("b", steps, train=draw), "train")
        width = float(found.numbers["mean_gap_high"]) - float(found.numbers["mean_gap_low"])
        widths.append(width / float(found.numbers["gap_spread"]))
    assert widths[1] > 1.3 * widths[0]


def test_shared_batches_are_seen_and_separate_ones_are_not_claimed(log_of: LogOf) -> None:
    shared, apart = noise("order", 2, len(STEPS))
    first = log_of("a", STEPS, train=CURVE + shared)
    same = order_finding(first, log_of("b", STEPS, train=CURVE + TRUE_GAPS + shared), "train")
    assert same.severity == "agreement"
    other = order_finding(first, log_of("c", STEPS, train=CURVE + apart), "train").result
    assert isinstance(other, Estimate)
    assert other.low < 0 < other.high


def test_the_interval_of_the_correlation_covers_zero_as_often_as_it_says(log_of: LogOf) -> None:
    covered = 0
    for first, second in noise("correlation", SIMULATIONS, 2, len(STEPS)):
        found = order_finding(
            log_of("a", STEPS, train=CURVE + first), log_of("b", STEPS, train=CURVE + second), "train"
        ).result
        assert isinstance(found, Estimate)
        covered += found.low <= 0 <= found.high
    assert 0.91 <= covered / SIMULATIONS <= 0.99


def test_many_points_can_exclude_shared_batches(log_of: LogOf) -> None:
    steps = tuple(range(1, 401))
    first, second = noise("many", 2, len(steps))
    found = order_finding(log_of("a", steps, train=5 + first), log_of("b", steps, train=5 + second), "train")
    assert "do not move together" in found.sentence


@pytest.mark.parametrize("points", [1, 2, 8])
def test_few_points_leave_everything_undefined(log_of: LogOf, points: int) -> None:
    first, second = (log_of(name, STEPS[:points], train=CURVE[:points]) for name in "ab")
    assert isinstance(noise_findings(first, "train")[0].result, Undefined)
    gap = gap_finding(first, second, "train")
    assert isinstance(gap.result, Undefined)
    assert gap.numbers["last_gap"] == 0
    assert "8 logged points" in gap.result.reason
    assert isinstance(order_finding(first, second, "train").result, Undefined)


def test_logs_without_a_common_step_are_not_compared(log_of: LogOf) -> None:
    first, second = log_of("a", (1, 3), train=(2, 1)), log_of("b", (2, 4), train=(2, 1))
    for found in (gap_finding(first, second, "train"), order_finding(first, second, "train")):
        assert isinstance(found.result, Undefined)
        assert found.severity == "note"


def test_curves_without_noise_have_no_order_to_tell(log_of: LogOf) -> None:
    first, second = log_of("a", STEPS, train=[1.0] * len(STEPS)), log_of("b", STEPS, train=[2.0] * len(STEPS))
    found = order_finding(first, second, "train").result
    assert isinstance(found, Undefined)
    assert "no noise" in found.reason


def test_the_trend_takes_its_coefficients_off_the_degrees_of_freedom() -> None:
    found = detrend(STEPS, CURVE)
    assert isinstance(found, Noise)
    assert found.steps[0] == 101, "the first fifth of 476 steps is left out"
    assert found.freedom == len(found.steps) - 4


def test_validation_that_ends_at_its_best_or_within_its_noise_is_no_overfitting(log_of: LogOf) -> None:
    falling = overfitting_finding(log_of("a", STEPS, validation=CURVE))
    assert falling is not None
    assert falling.severity == "note"
    assert "is the best one" in falling.sentence
    wobble = 3 + noise("wobble", len(STEPS)) / 10
    wobbling = overfitting_finding(log_of("a", STEPS, validation=wobble))
    assert wobbling is not None
    assert "within the noise" in wobbling.sentence
    rising = overfitting_finding(log_of("a", STEPS, validation=wobble + np.array(STEPS) / 100))
    assert rising is not None
    assert rising.severity == "caution"


def test_logs_without_validation_have_no_such_findings(log_of: LogOf) -> None:
    first, second = log_of("a", STEPS, train=CURVE), log_of("b", STEPS, train=CURVE, validation=CURVE)
    assert overfitting_finding(first) is best_finding(first, second) is apart_finding(first, second) is None


def test_printed_digits_limit_what_a_difference_says(log_of: LogOf) -> None:
    curve = [3.4, 3.1, 2.9, 2.7, 2.6, 2.5, 2.5, 2.4, 2.4, *[2.3] * 11]
    first, second = (
        replace(
            log_of(name, range(0, 2000, 100), train=curve, validation=curve), decimals={"train": 1, "validation": 1}
        )
        for name in "ab"
    )
    gap = gap_finding(first, second, "train")
    assert isinstance(gap.result, Estimate)
    assert gap.result.low <= -0.1
    assert gap.result.high >= 0.1
    assert gap.severity == "note"
    assert "±0.1" in gap.sentence
    assert isinstance(order_finding(first, second, "train").result, Undefined), "equal rounding is no shared batch"
    assert "hides its noise" in noise_findings(first, "train")[0].sentence
    best, apart = best_finding(first, second), apart_finding(first, second)
    assert best is not None
    assert best.numbers["tied_within"] >= 0.1
    assert "show no difference" in best.sentence
    assert apart is not None
    assert apart.severity == "note"


def test_a_rise_of_one_printed_digit_is_no_overfitting(log_of: LogOf) -> None:
    log = replace(log_of("a", (1, 2, 3), validation=(2.5, 2.4, 2.5)), decimals={"validation": 1})
    found = overfitting_finding(log)
    assert found is not None
    assert found.severity == "note"


def test_logs_in_different_units_are_not_compared(log_of: LogOf) -> None:
    first = log_of("a", STEPS, train=CURVE)
    found = gap_finding(first, replace(first, unit="epoch"), "train").result
    assert isinstance(found, Undefined)
    assert "one log counts steps and the other epochs" in found.reason

"""Numbers as printed."""

import pytest

from stacklab.base.text import visible
from stacklab.report.format.numbers import (
    alone,
    compact,
    difference_text,
    interval_text,
    percent,
    plus_minus,
    signed,
    tick,
)
from stacklab.run.metrics import Style
from stacklab.stats.result import Estimate, Undefined


@pytest.mark.parametrize(
    ("style", "value", "text"),
    [
        ("loss", 3.77204, "3.7720"),
        ("plain", 43.512, "43.51"),
        ("plain", 151665.0, "151,665"),
        ("share", 0.0, "0.0 %"),
        ("share", 0.4375, "43.8 %"),
        ("whole", 60207744.0, "60,207,744"),
        ("seconds", 210.0, "3.50 min"),
        ("seconds", 0.0123, "12.3 ms"),
        ("rate", 84650.0, "84.7 k"),
        ("bytes", 3 * 2.0**30, "3.00 GiB"),
        ("step", 275.0, "275"),
    ],
)
def test_alone(style: Style, value: float, text: str) -> None:
    assert alone(style, value) == text


@pytest.mark.parametrize(
    ("style", "mean", "half", "text"),
    [
        ("loss", 3.77204, 0.0153, "3.772 ± 0.015"),
        ("loss", 3.77204, 1.53, "3.8 ± 1.5"),
        ("loss", 3.77204, 0.0, "3.7720 ± 0.0000"),
        ("share", 0.4, 0.031, "40.0 ± 3.1 %"),
        ("share", 0.0, 0.0, "0.0 ± 0.0 %"),
        ("seconds", 125.0, 0.0, "2.08 ± 0.00 min"),
        ("step", 73.3, 28.7, "73 ± 29"),
    ],
)
def test_plus_minus(style: Style, mean: float, half: float, text: str) -> None:
    assert plus_minus(style, mean, half) == text


def test_differences_carry_their_sign_and_points() -> None:
    loss = Estimate(value=-0.2415, low=-0.262, high=-0.221, level=0.95, n=3, method="t")
    share = Estimate(value=0.195, low=0.172, high=0.218, level=0.95, n=3, method="t")
    assert difference_text("loss", loss) == "−0.241, 95% CI [−0.262, −0.221]"
    assert difference_text("share", share) == "+19.5 pp, 95% CI [+17.2, +21.8] pp"
    near = Estimate(value=1.03, low=-0.004, high=2.06, level=0.95, n=2, method="t")
    assert difference_text("loss", near) == "+1.030, 95% CI [−0.004, +2.060]", "the side of zero is not rounded away"
    assert interval_text("loss", loss) == "95% CI [−0.262, −0.221]"
    third = share.model_copy(update={"level": 1 - 0.05 / 3})
    assert interval_text("share", third) == "98.33% CI [+17.2, +21.8] pp", "the level of a third look"
    assert difference_text("loss", Undefined(reason="needs 2 pairs, has 1")) == "undefined: needs 2 pairs, has 1"
    assert signed("share", -0.031) == "−3.1 pp"
    assert [tick("loss", value) for value in (-0.1, 0.0, 0.25)] == ["−0.1", "0", "+0.25"]
    assert percent(-0.0002) == "0.0 %", "no negative zero"


def test_counts_to_three_digits() -> None:
    assert [compact(value) for value in (512, 64_800, 60_207_744, 1.24e12)] == ["512", "64.8 k", "60.2 M", "1.24 T"]


def test_control_characters_are_made_visible() -> None:
    assert visible("a\x00b\x1b[1m\n\tc") == "a\\x00b\\x1b[1m\n\tc"

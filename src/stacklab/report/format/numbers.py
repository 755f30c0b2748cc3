"""Numbers as the report prints them. A spread decides how many digits a mean deserves: two of the half width."""

import math

from stacklab.base.units import BYTES, COUNTS, SECONDS, Ladder, confidence, unit
from stacklab.report.facts.estimates import Measure
from stacklab.run.metrics import Style
from stacklab.stats.result import Estimate, Result

MINUS = "−"
NOTHING = "–"

DECIMALS: dict[Style, int] = {"loss": 4, "plain": 2, "share": 1, "whole": 0, "step": 0}
"""The most decimals of a style; the others print three significant digits."""

FINEST = 6
"""Decimals that an interval may get to show on which side of zero it ends."""

LARGE = 1e15
"""Larger values are printed with an exponent: they have more digits than a float holds."""

LADDERS: dict[Style, Ladder] = {"seconds": SECONDS, "rate": COUNTS, "bytes": BYTES, "share": ((0.01, " %"),)}
"""Units of a style; the others have none."""


def alone(style: Style, value: float) -> str:
    """A value without interval.

    >>> alone("loss", 3.77204), alone("share", 0.5), alone("seconds", 210.0), alone("whole", 60207744)
    ('3.7720', '50.0 %', '3.50 min', '60,207,744')
    """
    factor, suffix = _unit(style, value)
    scaled = value / factor
    if style in LADDERS and style != "share":
        places = max(0, 2 - _magnitude(scaled))
    else:
        places = max(0, min(DECIMALS[style], 5 - _magnitude(scaled)))
    return _fixed(scaled, places) + suffix


def plus_minus(style: Style, mean: float, half: float) -> str:
    """
    >>> plus_minus("loss", 3.77204, 0.0153), plus_minus("share", 0.4, 0.031)
    ('3.772 ± 0.015', '40.0 ± 3.1 %')
    """
    factor, suffix = _unit(style, mean)
    places = _places(style, half / factor, mean / factor)
    return f"{_fixed(mean / factor, places)} ± {_fixed(half / factor, places)}{suffix}"


def measure_text(style: Style, measure: Measure | None) -> str:
    """Mean and half width of the t interval; the mean alone where there is no interval."""
    if measure is None or measure.mean is None:
        return NOTHING
    if isinstance(measure.estimate, Estimate):
        return plus_minus(style, measure.mean, (measure.estimate.high - measure.estimate.low) / 2)
    return alone(style, measure.mean)


def signed(style: Style, value: float) -> str:
    """
    >>> signed("loss", 0.1), signed("share", -0.031)
    ('+0.1000', '−3.1 pp')
    """
    return _points(style, ("+" if value > 0 else "") + alone(style, value))


def difference_text(style: Style, result: Result) -> str:
    """A difference with its confidence interval, or why there is none.

    >>> low_high = {"low": -0.262, "high": -0.221, "level": 0.95, "n": 3, "method": "t"}
    >>> difference_text("loss", Estimate(value=-0.2415, **low_high))
    '−0.241, 95% CI [−0.262, −0.221]'
    """
    if not isinstance(result, Estimate):
        return f"undefined: {result.reason}"
    value, interval = _difference(style, result)
    return f"{value}, {interval}"


def interval_text(style: Style, result: Result) -> str:
    """The confidence interval alone, or why there is none."""
    return _difference(style, result)[1] if isinstance(result, Estimate) else f"undefined: {result.reason}"


def _difference(style: Style, result: Estimate) -> tuple[str, str]:
    """A difference and its interval, with the same digits."""
    factor, suffix = _unit(style, max(abs(result.low), abs(result.high)))
    places = _places(style, (result.high - result.low) / 2 / factor, result.value / factor)
    # Which side of zero an end lies on decides the verdict, so it must not be rounded away.
    while places < FINEST and any(end and not round(end / factor, places) for end in (result.low, result.high)):
        places += 1
    value, low, high = (_signed_fixed(number / factor, places) for number in (result.value, result.low, result.high))
    interval = f"{confidence(result.level)} CI [{low}, {high}]"
    return _points(style, value + suffix), interval + _points(style, suffix)


def tick(style: Style, value: float) -> str:
    """A label on the axis of a difference.

    >>> tick("loss", -0.1), tick("share", 0.05), tick("loss", 0.0)
    ('−0.1', '+5 pp', '0')
    """
    scaled = 100 * value if style == "share" else value
    return f"{'+' if value > 0 else ''}{scaled:.6g}{' pp' if style == 'share' and value else ''}".replace("-", MINUS)


def compact(value: float) -> str:
    """A count to three digits.

    >>> compact(60_207_744), compact(512)
    ('60.2 M', '512')
    """
    return alone("rate", value) if abs(value) >= 1000 else f"{value:g}"


def percent(share: float) -> str:
    """A signed share.

    >>> percent(0.0171), percent(0.0)
    ('+1.7 %', '0.0 %')
    """
    return ("+" if round(share, 3) > 0 else "") + _fixed(100 * share, 1) + " %"


def _unit(style: Style, value: float) -> tuple[float, str]:
    return unit(LADDERS.get(style, ((1, ""),)), value)


def _places(style: Style, half: float, value: float) -> int:
    """Decimals for two digits of the half width, and no more than the style allows."""
    most = DECIMALS.get(style, max(0, 2 - _magnitude(value)))
    return most if half <= 0 else max(0, min(most, 1 - _magnitude(half)))


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _fixed(value: float, places: int) -> str:
    if abs(value) >= LARGE:
        return f"{value:.4g}".replace("-", MINUS)
    return f"{round(value, places) + 0.0:,.{places}f}".replace("-", MINUS)


def _signed_fixed(value: float, places: int) -> str:
    return ("+" if round(value, places) > 0 else "") + _fixed(value, places)


def _points(style: Style, text: str) -> str:
    """A difference of percentages is in percentage points."""
    return text.replace("%", "pp") if style == "share" else text

"""Numbers and settings as people read them: the units of counts, bytes and times, in one place."""

import json
from typing import Any

Ladder = tuple[tuple[float, str], ...]
COUNTS: Ladder = ((1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"), (1, ""))
BYTES: Ladder = ((2**40, " TiB"), (2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (1, " B"))
SECONDS: Ladder = ((3600, " h"), (60, " min"), (1, " s"), (1e-3, " ms"))
"""Units with their suffix, largest first."""


def unit(ladder: Ladder, value: float) -> tuple[float, str]:
    """The largest unit that the value reaches, or the smallest one."""
    return next((step for step in ladder if abs(value) >= step[0]), ladder[-1])


def count(value: float) -> str:
    """A count with a decimal suffix.

    >>> count(60_207_744), count(512)
    ('60.21 M', '512')
    """
    factor, suffix = unit(COUNTS, value)
    return f"{value / factor:.2f}{suffix}" if suffix else f"{value:g}"


def size(value: float) -> str:
    """Bytes with a binary suffix.

    >>> size(3 * 2**30), size(17)
    ('3.00 GiB', '17 B')
    """
    factor, suffix = unit(BYTES, value)
    return f"{value / factor:.{0 if factor == 1 else 2}f}{suffix}"


def duration(seconds: float) -> str:
    """Seconds as a duration.

    >>> duration(3725), duration(59), duration(0.25)
    ('1 h 02 min', '59.0 s', '250 ms')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def plain(value: Any) -> str:
    """A setting or a recorded value.

    >>> plain(None), plain(True), plain(0.0003), plain([1, 2]), plain("x")
    ('none', 'yes', '0.0003', '[1, 2]', 'x')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)


def confidence(level: float) -> str:
    """The confidence level of an interval; `level` is that of `Estimate`. It is printed beside every interval.

    >>> confidence(0.95), confidence(1 - 0.05 / 3)
    ('95%', '98.33%')
    """
    return f"{100 * level:.4g}%"

"""Numbers as programs print them: read whole, or not at all."""

import re
from typing import NamedTuple

GROUPING = ",_'’\u00a0\u202f\u2009"
"""What stands between groups of three digits: commas, Python's underscores, Swiss apostrophes, unbreakable spaces."""

NUMERAL = rf"[-+]?\.?\d(?:\d|[.{GROUPING}](?=\d))*(?:e[-+]?\d+)?"
"""A run of digits with everything that belongs to it; whether it is a number is decided by the functions below."""

MOST_DIGITS = 300

COUNT = re.compile(rf"\d{{1,15}}|\d{{1,3}}(?:([{GROUPING}])\d{{3}})(?:\1\d{{3}}){{0,4}}")
VALUE = re.compile(r"[-+]?(?:(\d{1,40})(?:\.(\d{0,40}))?|\.(\d{1,40}))(?:e([-+]?\d{1,3}))?", re.IGNORECASE)
SPECIAL = re.compile(r"[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
GROUPED = re.compile(rf"([-+]?)(\d{{1,3}}(?:([{GROUPING}])\d{{3}})(?:\3\d{{3}}){{0,4}})(\.\d{{1,15}})?")
DOTTED = re.compile(r"([-+]?)(\d{1,3}(?:\.\d{3}){1,4}),(\d{1,15})")
COMMA = re.compile(r"([-+]?)(\d{1,15}),(\d{1,15})")


class Number(NamedTuple):
    """A value and its printed decimals (negative for 1e5); None for a number that was stored, not printed."""

    value: float
    decimals: int | None = None


def read_count(text: str) -> int | None:
    """A whole number from 0. None for everything else, such as 5.5, 1,50 or 1.500, which may be 1500 or 1.5.

    >>> [read_count(text) for text in ("00250", "1,500", "1_500", "1.500", "1,50")]
    [250, 1500, 1500, None, None]
    """
    return int(re.sub(r"\D", "", text)) if COUNT.fullmatch(text) else None


def read_value(text: str, *, comma: bool = False) -> Number | None:
    """A number with or without decimals. None for everything else, and for 2,345, which may be 2345 or 2.345.

    comma: a comma is known to be a decimal comma, as in tables whose cells are separated by semicolons.

    >>> [read_value(text) for text in ("2.30", "2,30", "1,234.5", "2,345")]
    [Number(value=2.3, decimals=2), Number(value=2.3, decimals=2), Number(value=1234.5, decimals=1), None]
    """
    if match := VALUE.fullmatch(text):
        decimals = len(match[2] or match[3] or "") - int(match[4] or 0)
        return Number(float(text), max(-MOST_DIGITS, min(decimals, MOST_DIGITS)))
    if SPECIAL.fullmatch(text):
        return Number(float(text), 0)
    if match := DOTTED.fullmatch(text):
        return _joined(match[1], match[2].replace(".", ""), match[3])
    if match := COMMA.fullmatch(text):
        # Groups have three digits after one to three, and never begin with 0.
        if comma or len(match[3]) != 3 or len(match[2]) > 3 or match[2].startswith("0"):
            return _joined(match[1], match[2], match[3])
        return None
    if match := GROUPED.fullmatch(text):
        return _joined(match[1], re.sub(r"\D", "", match[2]), (match[4] or "")[1:])
    return None


def _joined(sign: str, whole: str, decimals: str) -> Number:
    return Number(float(f"{sign}{whole}.{decimals or 0}"), len(decimals))

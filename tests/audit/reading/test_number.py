"""Numbers are read whole or not at all."""

import pytest

from stacklab.audit.reading.number import Number, read_count, read_value


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("00250", 250),
        ("1,500", 1500),
        ("1_500_000", 1_500_000),
        ("1'500", 1500),
        ("1\u202f500", 1500),
        *((text, None) for text in ("1.500", "1,50", "1,5000", "1,500.0", "5k", "-1", "1,500_000", "", "9" * 16)),
    ],
)
def test_counts(text: str, count: int | None) -> None:
    assert read_count(text) == count


@pytest.mark.parametrize(
    ("text", "value", "decimals"),
    [
        ("2.3", 2.3, 1),
        ("2.30", 2.3, 2),
        (".5", 0.5, 1),
        ("3.", 3, 0),
        ("-1.5e-2", -0.015, 3),
        ("2.5E+02", 250, -1),
        ("2,31", 2.31, 2),
        ("0,345", 0.345, 3),
        ("12345,678", 12345.678, 3),
        ("1,234.5", 1234.5, 1),
        ("1.234,5", 1234.5, 1),
        ("1,234,567", 1234567, 0),
        ("inf", float("inf"), 0),
        ("0e999", 0, -300),
    ],
)
def test_values_and_their_decimals(text: str, value: float, decimals: int) -> None:
    assert read_value(text) == Number(value, decimals)


@pytest.mark.parametrize("text", ["2,345", "1.2.3", "1,2,3", "5k", "1/2", "0x1", "", "1_0.5", "--1", "9" * 60])
def test_what_can_be_read_in_two_ways_or_none_is_no_number(text: str) -> None:
    assert read_value(text) is None


def test_a_known_decimal_comma_settles_it() -> None:
    assert read_value("2,345", comma=True) == Number(2.345, 3)

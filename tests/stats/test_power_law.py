import pytest

from stacklab.stats.describe import power
from stacklab.stats.result import Undefined


def test_a_power_law_gives_its_power_whatever_its_factor() -> None:
    x = [32, 64, 100, 256]
    assert power(x, [5 * value**-0.5 for value in x]) == pytest.approx(-0.5)
    assert power(x, [7.0] * 4) == pytest.approx(0)


def test_it_is_the_least_squares_line_of_the_logarithms() -> None:
    numpy = pytest.importorskip("numpy")
    x, y = [1.0, 2.0, 4.0, 8.0], [1.0, 3.0, 2.0, 9.0]
    assert power(x, y) == pytest.approx(numpy.polyfit(numpy.log(x), numpy.log(y), 1)[0])


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([4, 4], [1.0, 2.0], "needs 2 different sizes, has 1"),
        ([4, 8], [1.0, 0.0], "no logarithm"),
        ([4, 8], [1.0, float("inf")], "value 2 of 2 is inf"),
        ([4, 8], [float("nan"), 1.0], "value 1 of 2 is nan"),
    ],
)
def test_what_has_no_power_says_why(x: list[float], y: list[float], reason: str) -> None:
    found = power(x, y)
    assert isinstance(found, Undefined) and reason in found.reason

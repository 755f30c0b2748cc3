import pytest

from stacklab.base.search import smallest


@pytest.mark.parametrize("first", [1, 2, 5])
@pytest.mark.parametrize("wanted", [1, 2, 3, 7, 8, 9, 63, 64])
def test_as_trying_one_number_after_another(first: int, wanted: int) -> None:
    assert smallest(lambda n: n >= wanted, limit=200, first=first) == max(first, wanted)


def test_none_beyond_the_limit() -> None:
    assert smallest(lambda n: n >= 64, limit=64) == 64
    assert smallest(lambda n: n >= 64, limit=63) is None

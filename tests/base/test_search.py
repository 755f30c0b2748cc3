import pytest

from stacklab.base.search import smallest


@pytest.mark.parametrize("first", [1, 2, 5])
@pytest.mark.parametrize("wanted", [1, 2, 3, 7, 8, 9, 63, 64, 65, 150, 199, 200])
def test_as_trying_one_number_after_another(first: int, wanted: int) -> None:
    assert smallest(lambda n: n >= wanted, limit=200, first=first) == max(first, wanted)


def test_the_limit_is_tried_and_nothing_beyond_it() -> None:
    tried: list[int] = []

    def holds(number: int) -> bool:
        tried.append(number)
        return number >= 64

    assert smallest(holds, limit=64) == 64
    assert smallest(holds, limit=63) is None
    assert smallest(holds, limit=100) == 64
    assert max(tried) == 64

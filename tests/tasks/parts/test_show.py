import pytest

from stacklab.tasks.parity import Parity
from stacklab.tasks.parts.show import answered, letters


def test_what_names_no_token_is_refused() -> None:
    with pytest.raises(ValueError, match="parity: 'x' names no token; names are 0, 1, \\?"):
        answered(Parity(bits=2), "0 x ?")


def test_a_sequence_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="parity: 2 words, expected 3"):
        answered(Parity(bits=2), "0 ?")


def test_letters_go_on_as_numbers() -> None:
    assert letters(26)[-1] == "z"
    assert letters(27)[0] == "s0"

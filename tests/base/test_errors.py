from stacklab.base.errors import SpecError


def test_an_error_of_the_user_is_one_line_whatever_it_quotes() -> None:
    assert str(SpecError("a.yaml:2: d_mode\n384: unknown\rkey\u2028here")) == "a.yaml:2: d_mode 384: unknown key here"

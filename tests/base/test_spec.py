import pytest
from pydantic import ValidationError

from stacklab.base.spec import Items, Size, Spec, Text, added


class Example(Spec):
    name: Text
    sizes: Items[int] = ()
    rate: float = 0.5


def test_a_dump_loads_back_equal() -> None:
    spec = Example(name="a", sizes=[1, 2], rate=1)  # type: ignore[arg-type]
    assert Example.model_validate(spec.dump()) == spec
    assert spec.sizes == (1, 2)


@pytest.mark.parametrize(
    "bad",
    [
        {"name": True},
        {"name": "half \ud83d"},
        {"name": "a", "size": []},
        {"name": "a", "sizes": ["1"]},
        {"name": "a", "rate": "1"},
    ],
)
def test_unknown_keys_and_wrong_types_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate(bad)


class Grown(Example):
    stride: int = added(1, ge=1)


class Holder(Spec):
    inner: Grown


def test_a_field_that_was_added_later_keeps_the_fingerprints_of_before() -> None:
    before, after = Example(name="a"), Grown(name="a")
    assert after.dump() == before.dump() and after.fingerprint == before.fingerprint
    assert Grown(name="a", stride=2).dump()["stride"] == 2
    assert Holder(inner=after).complete() == {"inner": before.dump() | {"stride": 1}}
    with pytest.raises(ValidationError):
        Grown(name="a", stride=0)


class Counted(Spec):
    steps: int = 1
    layers: Items[int] = ()
    width: Size = 1
    split_seed: int = 0


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"steps": 2**63}, r"steps has about 19 digits, expected a number below 2\*\*63"),
        ({"steps": -(10**400)}, "steps has about 400 digits"),
        ({"layers": [1, 10**5000]}, "layers has about 5000 digits"),
        ({"split_seed": 2**256}, r"split_seed has about 78 digits, expected a number below 2\*\*256"),
        ({"width": 2**24 + 1}, "16,777,217 exceeds 16,777,216, which is above the sizes of all known models"),
        ({"width": 0}, "greater than 0"),
    ],
)
def test_numbers_that_would_overflow_are_refused(field: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Counted.model_validate(field)


def test_the_largest_numbers_are_allowed() -> None:
    spec = Counted(steps=2**63 - 1, layers=(1, -(2**62)), width=2**24, split_seed=2**256 - 1)
    assert Counted.model_validate(spec.dump()) == spec

import pytest
from pydantic import ValidationError

from stacklab.base.spec import Items, Spec, Text, added


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

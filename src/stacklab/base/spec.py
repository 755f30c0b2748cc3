"""The base of every spec: frozen, without unknown keys, with one canonical dump."""

import math
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from stacklab.base.canon import fingerprint
from stacklab.base.text import LONGEST, cut


def _refuse_no_text(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"got the boolean {value}; quote the text")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"half of a surrogate pair at character {error.start + 1}; write the text in UTF-8"
            ) from None
    return value


Text = Annotated[str, BeforeValidator(_refuse_no_text)]
"""A string that UTF-8 can write. `true` without quotation marks is no text."""

T = TypeVar("T")

LARGEST = 2**24
"""Largest size: above those of all known models, and small enough that products of two fit into 64 bits."""


def _at_most_largest(value: int) -> int:
    if value > LARGEST:
        raise ValueError(f"{cut(f'{value:,}')} exceeds {LARGEST:,}, which is above the sizes of all known models")
    return value


Size = Annotated[int, Field(gt=0), AfterValidator(_at_most_largest)]

BITS, SEED_BITS = 63, 256
"""Of the largest whole number in a spec, so that products of several fit into a float; and of the largest seed, which
is hashed."""


def _list_to_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Items = Annotated[tuple[T, ...], BeforeValidator(_list_to_tuple)]
"""A sequence: a list in YAML, a tuple in Python. Its elements are validated as strictly as any field."""


def added(default: Any, **limits: Any) -> Any:
    """A field with a default, added when specs without it had been stored.

    It is left out of dumps at its default, so that fingerprints stay; `Spec.complete` has it.
    """
    return Field(default, exclude_if=lambda value: value == default, **limits)


class Spec(BaseModel):
    """A frozen value with no unknown keys. Floats accept whole numbers; nothing else is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _of_bounded_length(self) -> Self:
        for name, value in self.__dict__.items():
            most = SEED_BITS if name.endswith(("seed", "seeds")) else BITS
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int) and number.bit_length() > most:
                    digits = int((number.bit_length() - 1) * math.log10(2)) + 1
                    raise ValueError(f"{name} has about {digits} digits, expected a number below 2**{most}")
        return self

    def dump(self) -> dict[str, Any]:
        """Plain JSON values; loading them again yields an equal spec."""
        return self.model_dump(mode="json")

    def complete(self) -> dict[str, Any]:
        """The dump with the fields that it leaves out at their defaults: every setting, for people to read."""
        tree = self.dump()
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Spec):
                tree[name] = value.complete()
            elif field.exclude_if is not None:
                tree[name] = value
        return tree

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the dump (see `base.canon`)."""
        return fingerprint(self.dump())


def is_tag(key: str | int) -> bool:
    """Whether a key in the path of a validation error is the tag of a union's member, which is no key of the file.

    >>> is_tag("(text)"), is_tag("text")
    (True, False)
    """
    return isinstance(key, str) and key.startswith("(")


def first_fault(error: ValidationError) -> str:
    """The first error: which field, and what is wrong with it."""
    first = error.errors(include_url=False)[0]
    place = cut(".".join(str(key) for key in first["loc"] if not is_tag(key)))
    return f"{place + ': ' if place else ''}{cut(first['msg'].removeprefix('Value error, '), 2 * LONGEST)}"

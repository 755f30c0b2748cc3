"""Templates: strings of wildcards, each standing for a symbol of its own, as in AAB."""

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from stacklab.base.spec import Items, Text
from stacklab.tasks.batch import Ids

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def canonical(template: str) -> str:
    """The same pattern with its wildcards named in order of appearance.

    >>> canonical("BAAC")
    'ABBC'
    """
    name: dict[str, str] = {}
    return "".join(name.setdefault(wildcard, ALPHABET[len(name)]) for wildcard in template)


def _check(templates: tuple[str, ...]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for template in templates:
        if not template or set(template) - set(ALPHABET):
            raise ValueError(f"template {template!r}: write wildcards as capital letters, as in AAB")
        if len(template) != len(templates[0]):
            raise ValueError(
                f"templates differ in length: {templates[0]!r} has {len(templates[0])}, "
                f"{template!r} has {len(template)}"
            )
        pattern = canonical(template)
        if pattern in first:
            raise ValueError(f"templates {first[pattern]!r} and {template!r} are one pattern, {pattern}: drop one")
        first[pattern] = template
    return templates


Templates = Annotated[Items[Text], Field(min_length=2), AfterValidator(_check)]
"""At least two templates of one length, no two the same pattern."""


def wildcards(templates: tuple[str, ...]) -> int:
    """The greatest number of different wildcards in a template."""
    return max(len(set(template)) for template in templates)


def patterns(templates: tuple[str, ...]) -> Ids:
    """[K, k] the number of the wildcard at each place, in order of appearance."""
    return np.array([[ALPHABET.index(letter) for letter in canonical(each)] for each in templates], dtype=np.int64)


def pattern_of(symbols: list[int]) -> str:
    """The template that a string of symbols follows.

    >>> pattern_of([7, 3, 7])
    'ABA'
    """
    order = list(dict.fromkeys(symbols))
    return "".join(ALPHABET[order.index(symbol)] for symbol in symbols)

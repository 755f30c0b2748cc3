"""Canonical JSON and fingerprints: equal values have equal text, and values without a stable text are refused."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

FINGERPRINT_LENGTH = 16


def short_hash(digest: "hashlib._Hash") -> str:
    """The first 16 hex digits, as all hashes are stored and shown."""
    return digest.hexdigest()[:FINGERPRINT_LENGTH]


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, finite numbers only.

    >>> canonical_json({"b": 1, "a": (True, None)})
    '{"a":[true,null],"b":1}'

    Raises TypeError for anything but None, bool, int, float, str, list, tuple and str-keyed mappings, and ValueError
    for a float that is not finite: such a value has no stable identity.
    """
    _refuse_unstable(value, "value")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(value: Any) -> str:
    """The first 16 hex digits of the SHA-256 of the canonical JSON."""
    return short_hash(hashlib.sha256(canonical_json(value).encode()))


SUM = "sum"
"""Key of the checksum in a stored value."""


def with_sum(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value with its fingerprint, by which a reader notices that the file was edited or damaged."""
    return {**value, SUM: fingerprint(value)}


def without_sum(value: Any) -> Any:
    """The value as it was given to `with_sum`; one without a checksum, as earlier versions stored it, unchanged.

    Raises ValueError where the checksum is not that of the value.
    """
    if not isinstance(value, dict) or SUM not in value:
        return value
    content = {name: part for name, part in value.items() if name != SUM}
    if value != with_sum(content):
        raise ValueError("its content does not have the checksum that it was saved with")
    return content


def _refuse_unstable(value: Any, where: str) -> None:
    if value is None or isinstance(value, bool | int | str):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}, which has no canonical JSON")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_unstable(item, f"{where}[{index}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}; keys must be strings")
            _refuse_unstable(item, f"{where}.{key}")
    else:
        raise TypeError(f"{where} is a {type(value).__name__}, which has no stable identity")

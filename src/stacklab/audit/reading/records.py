"""JSON -> records of names and printed values."""

import json
from collections.abc import Mapping
from typing import Any


def load_json(text: str) -> Any:
    """The value of a JSON text with its numbers as they are printed; None for other texts."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None


def record_from(item: Mapping[str, Any]) -> dict[str, str]:
    """The single values of an object and of the objects in it, named `outer/inner`."""
    record = {}
    for name, value in item.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, each in inner:
            if each is None or (isinstance(each, str | float) and not isinstance(each, bool)):
                record[f"{name}/{key}" if key else name] = "null" if each is None else str(each)
    return record

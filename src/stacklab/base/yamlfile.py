"""YAML with the line of every key, read in one way: unquoted text is null, true, false, a decimal number or text.

These are the core rules of YAML 1.2 (yaml.org/spec/1.2.2, 10.3.2), with numbers in decimal only, and the merge key `<<`
of YAML 1.1. What programs read in several ways (020, 1:30, yes) is refused with its line, and so are tags and
interpolation; quoted text is taken as it is written. Depth, length and number of values are bounded.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from stacklab.base.errors import DataError, SpecError
from stacklab.base.files import read_text
from stacklab.base.text import cut, shown

PathKey = tuple[str | int, ...]

MOST_CHARACTERS = 1_000_000
MOST_VALUES = 10_000
"""Values, groups and keys of a file; those behind an alias count at every use."""
MOST_LEVELS = 50
MOST_DIGITS = 40
"""Digits of a whole number; 2^128 has 39."""

CONSTANTS = {
    word: value
    for value, words in (
        (None, ("", "~", "null", "Null", "NULL")),
        (True, ("true", "True", "TRUE")),
        (False, ("false", "False", "FALSE")),
    )
    for word in words
}
WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:_[0-9]{3})+)")
REAL = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
UNCLEAR = {
    re.compile(r"(?i)yes|no|on|off"): "write true or false",
    re.compile(r"(?i)[-+]?0[xob][0-9a-f_]+"): "write the number in decimal",
    re.compile(r"[-+]?[0-9][0-9_]*(?::[0-9]+)+(?:\.[0-9_]*)?"): "write one number",
    re.compile(r"[-+]?0[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"): "write the number without leading zeros",
    re.compile(r"[-+]?\.?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"): "write _ between thousands only",
    re.compile(r"[-+]?[0-9]+\.[0-9_]*_[0-9_]*(?:[eE][-+]?[0-9]+)?"): "write the number without _",
    re.compile(r"(?i)[-+]?\.inf|\.nan"): "write a finite number",
}
"""Unquoted text that is neither a number nor plainly text, for some readers of YAML or for people -> what to write."""


@dataclass(frozen=True)
class Places:
    """The line of each key of a YAML file, for error messages."""

    file: str
    lines: dict[PathKey, int] = field(default_factory=dict)

    def of(self, path: Sequence[str | int]) -> str:
        """`file:line` of the longest known prefix of `path`."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(tuple(path[:length]))
            if line is not None:
                return f"{self.file}:{line}"
        return self.file

    def dotted(self, path: Sequence[str | int]) -> str:
        """`path` as it is written in the file."""
        return ".".join(map(str, path))


def load_yaml(path: Path) -> tuple[dict[str, Any], Places]:
    """The mapping in a YAML file, and the line of each key.

    Raises SpecError naming file and line when the text is not UTF-8, not YAML as this module reads it, or not a
    mapping.
    """
    places = Places(str(path))
    try:
        tree = _parse(read_text(path), places.lines)
    except OSError as error:
        raise SpecError(f"{path}: cannot read ({error.strerror})") from error
    except DataError as error:
        raise SpecError(str(error)) from error
    except _Refused as error:
        raise SpecError(f"{path}:{error.line}: {error}") from error
    if tree is None:
        return {}, places
    if not isinstance(tree, dict):
        raise SpecError(f"{path}: the top must be a mapping of keys to values, found a {type(tree).__name__}")
    return tree, places


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """`["model.d_model=128", "train.steps=50"]` as {dotted path: value}; the last value of a repeated path counts.

    Values follow the rules of files. Raises SpecError for text without `=` or with a value that is not YAML.
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise SpecError(f"override {shown(text)}: expected path=value, for example model.d_model=128")
        try:
            values[key.strip()] = _parse(value, {})
        except _Refused as error:
            raise SpecError(f"override {shown(text)}: {error}") from error
    return values


class _Refused(Exception):
    """Why a text is refused. line: the first is 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _refuse(node: Any, message: str) -> NoReturn:
    raise _Refused(node.start_mark.line + 1, message)


def _parse(text: str, lines: dict[PathKey, int]) -> Any:
    """The value of a document of YAML; fills `lines` with the line of each key. Raises _Refused."""
    if len(text) > MOST_CHARACTERS:
        raise _Refused(1, f"{len(text):,} characters; at most {MOST_CHARACTERS:,} are read as YAML")
    try:
        node = _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Refused(mark.line + 1 if mark else 1, f"not YAML ({cut(str(error.problem))})") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Refused(line, f"not YAML (the character {shown(chr(error.character))} is no text)") from error
    except (ValueError, OverflowError, AssertionError, yaml.YAMLError) as error:
        # Of numbers in escapes and directives, which PyYAML does not check.
        raise _Refused(1, f"not YAML ({cut(' '.join(str(error).split()))})") from error
    return None if node is None else _Tree(lines).value(node, (), 0)


class _Composer(yaml.SafeLoader):
    """Nodes without tags, bounded in depth and number before they are built."""

    levels = values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) is not None:
            tag = cut(event.tag.replace("tag:yaml.org,2002:", "!!"))
            _refuse(event, f"{tag}: tags are not read; leave it out, or quote the text")
        self.values += 1
        self.levels += 1
        if self.values > MOST_VALUES:
            _refuse(event, f"more than {MOST_VALUES:,} keys and values")
        if self.levels > MOST_LEVELS:
            _refuse(event, f"nested deeper than {MOST_LEVELS} levels")
        node = super().compose_node(parent, index)
        self.levels -= 1
        return node


class _Tree:
    """Nodes as plain values, every alias as values of its own."""

    def __init__(self, lines: dict[PathKey, int]) -> None:
        self._lines, self._values = lines, 0

    def value(self, node: Any, path: PathKey, level: int) -> Any:
        self._bound(node, level)
        if isinstance(node, yaml.MappingNode):
            pairs = self._pairs(node, level)
            return {name: self._placed(key, value, (*path, name), level) for name, (key, value) in pairs.items()}
        if isinstance(node, yaml.SequenceNode):
            return [self._placed(item, item, (*path, index), level) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _placed(self, key: Any, value: Any, path: PathKey, level: int) -> Any:
        self._lines[path] = key.start_mark.line + 1
        return self.value(value, path, level + 1)

    def _pairs(self, node: Any, level: int) -> dict[str, tuple[Any, Any]]:
        """Keys, as they are written, with their nodes: those merged by `<<`, in so far as the mapping has none of the
        same name, then its own."""
        self._bound(node, level)
        own: dict[str, tuple[Any, Any]] = {}
        merged: dict[str, tuple[Any, Any]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                _refuse(key, "a list or a mapping in the place of a key")
            if key.value in own:
                _refuse(key, f"the key {shown(key.value)} a second time")
            own[key.value] = key, value
        if "<<" in own and own["<<"][0].style is None:
            sources = own.pop("<<")[1]
            for source in reversed(sources.value if isinstance(sources, yaml.SequenceNode) else [sources]):
                if not isinstance(source, yaml.MappingNode):
                    _refuse(source, "<<: expected a mapping, or a list of mappings")
                merged |= self._pairs(source, level + 1)
        return {name: pair for name, pair in merged.items() if name not in own} | own

    def _bound(self, node: Any, level: int) -> None:
        """Aliases may multiply values, and contain themselves."""
        self._values += 1
        if self._values > MOST_VALUES:
            _refuse(node, f"more than {MOST_VALUES:,} values, with those of aliases at every use")
        if level > MOST_LEVELS:
            _refuse(node, f"nested deeper than {MOST_LEVELS} levels, with aliases")


def _scalar(node: Any) -> Any:
    """Text, or the value of what is not quoted."""
    text: str = node.value
    if node.style is not None:
        return text
    if text in CONSTANTS:
        return CONSTANTS[text]
    if "${" in text:
        _refuse(
            node,
            f"{shown(text)}: nothing is put in the place of ${{...}}; repeat a value by an anchor (&name and "
            "*name), or quote the text",
        )
    if WHOLE.fullmatch(text):
        if len(text) > MOST_DIGITS:
            _refuse(node, f"a whole number of {len(text)} digits; at most {MOST_DIGITS} are read")
        return int(text)
    if REAL.fullmatch(text):
        return _real(node, text)
    for pattern, mend in UNCLEAR.items():
        if pattern.fullmatch(text):
            _refuse(node, f"{cut(text)}: {mend}, or quote the text")
    return text


def _real(node: Any, text: str) -> float:
    value = float(text)
    if math.isinf(value) or (value == 0 and re.search("[1-9]", re.split("[eE]", text)[0])):
        _refuse(node, f"{cut(text)} is outside the range of 64-bit numbers; write another, or quote the text")
    return value

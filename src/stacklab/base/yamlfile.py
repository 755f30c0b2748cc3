"""YAML with line numbers: values through omegaconf, line numbers through the YAML nodes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError, SpecError
from stacklab.base.files import read_text

PathKey = tuple[str | int, ...]


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
    """The mapping in a YAML file, with interpolations resolved, and the line of each key.

    Raises SpecError naming file and line when the text is not UTF-8, not YAML, or not a mapping.
    """
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        text = read_text(path)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None and not isinstance(node, yaml.MappingNode):
            raise SpecError(
                f"{path}: the top must be a mapping of keys to values, found a {node.tag.rpartition(':')[2]}"
            )
        loaded = OmegaConf.to_container(OmegaConf.create(text), resolve=True) if text.strip() else {}
    except OSError as error:
        raise SpecError(f"{path}: cannot read ({error.strerror})") from error
    except DataError as error:
        raise SpecError(str(error)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise SpecError(f"{place}: not YAML ({error.problem})") from error
    except (OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        raise SpecError(f"{path}: {_one_line(error)}") from error
    if not isinstance(loaded, dict):
        raise SpecError(f"{path}: the top must be a mapping of keys to values, found a {type(loaded).__name__}")
    places = Places(str(path))
    _collect(node, (), places.lines)
    return {str(key): value for key, value in loaded.items()}, places


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """`["model.d_model=128", "train.steps=50"]` as {dotted path: value}; the last value of a repeated path counts.

    Raises SpecError for text without `=` or with a value that is not YAML.
    """
    from omegaconf import OmegaConf
    from yaml import YAMLError

    values: dict[str, Any] = {}
    for text in texts:
        key, equals, _ = text.partition("=")
        if not equals or not key.strip():
            raise SpecError(f"override {text!r}: expected path=value, for example model.d_model=128")
        try:
            tree = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text[len(key) + 1 :]}"]))
        except (YAMLError, ValueError) as error:
            raise SpecError(f"override {text!r}: {_one_line(error)}") from error
        assert isinstance(tree, dict)
        values[key.strip()] = tree["value"]
    return values


def _collect(node: Any, path: PathKey, lines: dict[PathKey, int]) -> None:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            child = (*path, str(key.value))
            lines[child] = key.start_mark.line + 1
            _collect(value, child, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*path, index)] = value.start_mark.line + 1
            _collect(value, (*path, index), lines)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

"""Differences between the effective configurations of two arms, and whether they were declared."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator

from stacklab.base.errors import ContrastError
from stacklab.base.spec import Spec
from stacklab.model.spec import LayerSpec, ModelSpec
from stacklab.stats.comparison import Pairing
from stacklab.study.spec.study import ArmSpec, BaseSpec

MOVE_BATCHES = ("data.", "train.batch_size", "train.steps")
"""Settings that change the batches; arms that agree in all of them must have seen the same batches."""


def _groups(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts, which must be groups and numbers where these are read. Raises ValueError."""
    groups = {"": facts} | {name: facts[name] for name in ("source", "records", "splits", "tokenizer") if name in facts}
    groups |= {f"splits.{name}": split for name, split in dict(facts.get("splits") or {}).items()}
    for name, group in groups.items():
        if not isinstance(group, dict):
            raise ValueError(f"{name} is no group of facts")
        for key in ("vocab_size", "kept", "tokens_per_epoch"):
            if key in group and (isinstance(group[key], bool) or not isinstance(group[key], int)):
                raise ValueError(f"{key} is no whole number")
    return facts


DataFacts = Annotated[dict[str, Any], AfterValidator(_groups)]
"""What is known of the data of a plan: the manifest of a text, or the facts of a task."""


class Difference(Spec):
    """One effective setting in which two configurations differ."""

    path: str
    left: Any
    right: Any


def effective(base: BaseSpec) -> dict[str, Any]:
    """Every setting by dotted path, after all defaults and rules.

    A per-layer setting that is equal in all layers counts as one value, so that it does not differ with depth.
    """
    resolved = _per_layer(base.model) | _inherited(base.model)
    tree = base.complete()
    tree["model"]["attention_pattern"] = _patterns(base.model)
    return _flatten(tree) | {f"model.{name}": value for name, value in resolved.items()}


def differences(left: BaseSpec, right: BaseSpec) -> list[Difference]:
    """The effective settings that differ, by path."""
    a, b = effective(left), effective(right)
    moved = [path for path in sorted(a | b) if a.get(path) != b.get(path)]
    return [Difference(path=path, left=a.get(path), right=b.get(path)) for path in moved]


def pairing(paths: Iterable[str]) -> Pairing:
    """Whether arms that differ in `paths` are compared seed by seed: only if none of these moves the batches.

    Known before the first run, so that it cannot depend on results.

    >>> pairing(["model.num_layers"]), pairing(["model.num_layers", "train.steps"])
    ('paired', 'unpaired')
    """
    return "unpaired" if any(path.startswith(MOVE_BATCHES) for path in paths) else "paired"


STORED_IN = {"model.attention_pattern": "model.window"}
"""Knob -> the setting in which some of its values are stored: a pattern of windows as windows."""


def check_declared(name: str, arm: ArmSpec, base: BaseSpec, resolved: BaseSpec, knobs: Iterable[str]) -> None:
    """Raises ContrastError if the arm differs from the base in a path that is neither a knob nor declared."""
    allowed = (*knobs, *arm.consequences, *(STORED_IN[knob] for knob in knobs if knob in STORED_IN))
    for moved in differences(base, resolved):
        if not any(moved.path == known or moved.path.startswith(known + ".") for known in allowed):
            raise ContrastError(
                f"arm {name}: changes {moved.path} from {moved.left!r} to {moved.right!r}, which is neither a knob of "
                f"the study ({', '.join(knobs)}) nor among the arm's consequences; declare it or remove the change"
            )


TRAINED = ("init", "dropout", "attention_dropout", "layer_drop", "token_table", "start_from")
"""Settings of a stack that say how it is trained, not what it computes."""


def unlike(config: BaseSpec, model: ModelSpec) -> Difference | None:
    """The first setting by which another stack computes something else: left its value, right the configuration's."""
    paths = tuple(f"model.{name}" for name in TRAINED)
    for row in differences(config.model_copy(update={"model": model}), config):
        if row.path not in paths and not row.path.startswith("model.init."):
            return row
    return None


def _per_layer(model: ModelSpec) -> dict[str, Any]:
    columns = {}
    for name in LayerSpec._fields:
        if name == "attention_pattern":
            continue
        values = [_own_setting(layer, name) for layer in model.layers]
        uniform = len(set(values)) == 1
        columns[name] = values[0] if uniform else values or getattr(model, name)
    return columns


def _patterns(model: ModelSpec) -> Any:
    """One plain value for all layers, or a list: as it is stated, since each layer draws random blocks of its own."""
    stated = model.attention_pattern if isinstance(model.attention_pattern, tuple) else (model.attention_pattern,)
    plain = [None if each is None else each.dump() for each in stated]
    return plain[0] if all(each == plain[0] for each in plain) else plain


def _own_setting(layer: LayerSpec, name: str) -> Any:
    """None for num_kv_heads equal to num_heads: otherwise a change of num_heads would count as two differences."""
    if name == "num_kv_heads" and layer.num_kv_heads == layer.num_heads:
        return None
    return getattr(layer, name)


def _inherited(model: ModelSpec) -> dict[str, Any]:
    """Settings that default to the value of another one."""
    init = model.init
    return {
        "norm.final": model.norm.has_final,
        "init.token_std": init.token_deviation,
        "init.position_std": init.position_deviation,
    }


def _flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix: tree}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}.{key}" if prefix else key)
    return flat

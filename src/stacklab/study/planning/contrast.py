"""What differs between two arms once every default and rule is applied, and whether it was declared."""

from collections.abc import Iterable
from typing import Any

from stacklab.base.errors import ContrastError
from stacklab.base.spec import Spec
from stacklab.model.spec import LayerSpec, ModelSpec
from stacklab.stats.comparison import Pairing
from stacklab.study.spec.study import ArmSpec, BaseSpec

MOVE_BATCHES = ("data.", "train.batch_size", "train.steps")
"""Settings that change which batches are seen; arms that differ in none of them must have seen the same."""


class Difference(Spec):
    """One effective setting that two configurations do not share."""

    path: str
    left: Any
    right: Any


def effective(base: BaseSpec) -> dict[str, Any]:
    """Every setting by dotted path, defaults applied and rules carried out.

    A per-layer setting equal in all layers is one value, so that depth alone does not make it differ.
    """
    resolved = _per_layer(base.model) | _inherited(base.model)
    return _flatten(base.dump()) | {f"model.{name}": value for name, value in resolved.items()}


def differences(left: BaseSpec, right: BaseSpec) -> list[Difference]:
    """The effective settings that differ, by path."""
    a, b = effective(left), effective(right)
    moved = [path for path in sorted(a | b) if a.get(path) != b.get(path)]
    return [Difference(path=path, left=a.get(path), right=b.get(path)) for path in moved]


def pairing(paths: Iterable[str]) -> Pairing:
    """Whether arms that differ in `paths` are compared seed by seed: only if none of these moves the batches.

    Known before the first run, so that no result can choose how it is judged.

    >>> pairing(["model.num_layers"]), pairing(["model.num_layers", "train.steps"])
    ('paired', 'unpaired')
    """
    return "unpaired" if any(path.startswith(MOVE_BATCHES) for path in paths) else "paired"


def check_declared(name: str, arm: ArmSpec, base: BaseSpec, resolved: BaseSpec, knobs: Iterable[str]) -> None:
    """Raises ContrastError if the arm differs from the base in a path that is neither a knob nor declared."""
    allowed = (*knobs, *arm.consequences)
    for moved in differences(base, resolved):
        if not any(moved.path == known or moved.path.startswith(known + ".") for known in allowed):
            raise ContrastError(
                f"arm {name}: changes {moved.path} from {moved.left!r} to {moved.right!r}, which is neither a knob of "
                f"the study ({', '.join(knobs)}) nor among the arm's consequences; declare it or remove the change"
            )


def _per_layer(model: ModelSpec) -> dict[str, Any]:
    columns = {}
    for name in LayerSpec._fields:
        values = [_given(layer, name) for layer in model.layers]
        uniform = len(set(values)) == 1
        columns[name] = values[0] if uniform else _unspread(getattr(model, name), values)
    return columns


def _given(layer: LayerSpec, name: str) -> Any:
    """As many heads of keys as of queries is no setting of its own, or every change of num_heads would be two."""
    if name == "num_kv_heads" and layer.num_kv_heads == layer.num_heads:
        return None
    return getattr(layer, name)


def _inherited(model: ModelSpec) -> dict[str, Any]:
    """Settings that follow another one where they are not given."""
    init = model.init
    return {
        "norm.final": model.norm.has_final,
        "init.token_std": init.token_deviation,
        "init.position_std": init.position_deviation,
    }


def _unspread(given: Any, values: list[Any]) -> Any:
    """No layers at all: the setting as given."""
    return values or given


def _flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix: tree}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}.{key}" if prefix else key)
    return flat

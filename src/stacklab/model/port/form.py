"""Form: the format of another program, its config and its tensors, read and written."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacklab.base.errors import PortError
from stacklab.model.port.links import Link
from stacklab.model.residual import PLACEMENTS, PlacementName
from stacklab.model.spec import ModelSpec

Config = Mapping[str, Any]

SETTINGS = {
    *("vocab_size", "d_model", "num_layers", "num_heads", "num_kv_heads", "d_ff", "feed_forward", "mask", "window"),
    "attention_pattern",
    *("layer_drop", "context_length", "position", "activation", "attention_scale", "attention_identity"),
    *("linear_bias", "token_table", "tie_embeddings", "dropout", "attention_dropout", "norm", "init"),
    *("parametrisation", "start_from", "share", "qk_norm", "residual"),
}
"""The fields of ModelSpec that every form writes, refuses by value, or may omit since they act in training only."""


@dataclass(frozen=True)
class Form:
    """A format for stacks, exact in both directions.

    name: for --format and messages. model_type, architecture: their values in the config.
    read: the stack of a config. Raises PortError for an unknown key or an unsupported value.
    misfits: why a stack cannot be written in this form; empty when it can.
    write: the config of a stack that fits. links: the tensors of such a stack.
    prefix: prefix of most tensors, which folders of the bare model omit.
    ignored: endings of tensors without weights. files: further files of the folder.
    """

    name: str
    model_type: str
    architecture: str
    read: Callable[[Config], ModelSpec]
    misfits: Callable[[ModelSpec], list[str]]
    write: Callable[[ModelSpec], dict[str, Any]]
    links: Callable[[ModelSpec], list[Link]]
    prefix: str = ""
    ignored: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def check(self, spec: ModelSpec) -> None:
        """Raises PortError naming the fields that do not fit."""
        if faults := self.misfits(spec):
            raise PortError(f"the {self.name} form cannot express this model: {'; '.join(faults)}")


def common_misfits(spec: ModelSpec, *, placement: PlacementName = "pre") -> list[str]:
    """The misfits that all stock classes share. placement: that of their norms; a final one comes with pre."""
    faults = unknown_settings(spec)
    for name, values in (
        ("num_heads", {layer.num_heads for layer in spec.layers}),
        ("num_kv_heads", {layer.num_kv_heads for layer in spec.layers}),
        ("d_ff", {layer.d_ff for layer in spec.layers}),
    ):
        if len(values) > 1:
            faults.append(f"{name} differs by layer ({', '.join(map(str, sorted(values)))})")
    if not spec.layers:
        faults.append("num_layers is 0")
    if any(layer.d_ff == 0 for layer in spec.layers):
        faults.append("d_ff is 0, a layer without feed-forward")
    if spec.mask != "causal":
        faults.append(f"mask is {spec.mask}")
    if kinds := {layer.attention_pattern.kind for layer in spec.layers if layer.attention_pattern is not None}:
        faults.append(f"attention_pattern is {', '.join(sorted(kinds))}")
    if spec.attention_identity is not None:
        faults.append("attention_identity is set")
    if spec.share is not None:
        faults.append("share is set, so that layers have the same weights")
    if spec.norm.placement != placement or spec.norm.has_final != PLACEMENTS[placement].final_norm:
        faults.append(f"norm.placement is {spec.norm.placement} with final norm {spec.norm.has_final}")
    if spec.qk_norm != "none":
        faults.append(f"qk_norm is {spec.qk_norm}")
    if spec.residual.kind != "plain":
        faults.append(f"residual.kind is {spec.residual.kind}")
    if spec.parametrisation.kind != "standard":
        faults.append(f"parametrisation is {spec.parametrisation.kind}, which multiplies scores, branches and logits")
    return faults


def expected(name: str, value: object, wanted: object) -> list[str]:
    """A misfit unless the value is the wanted one."""
    return [] if value == wanted else [f"{name} is {value}, not {wanted}"]


def one_of(name: str, value: str, allowed: Collection[str]) -> list[str]:
    """A misfit unless the value is allowed."""
    return [] if value in allowed else [f"{name} is {value}, not {' or '.join(allowed)}"]


def unknown_settings(spec: ModelSpec) -> list[str]:
    """Misfits for settings outside SETTINGS that differ from their defaults."""
    return [
        f"{name} is {getattr(spec, name)}"
        for name, field in type(spec).model_fields.items()
        if name not in SETTINGS and getattr(spec, name) != field.get_default(call_default_factory=True)
    ]

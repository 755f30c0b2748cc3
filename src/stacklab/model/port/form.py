"""What a form of another program is: its config and its tensors, both ways."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacklab.base.errors import PortError
from stacklab.model.port.links import Link
from stacklab.model.spec import ModelSpec

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Form:
    """A way to write a stack down, exact both ways.

    name: for --format and messages. model_type, architecture: as the config names them.
    read: the stack of a config. Raises PortError for a key that is unknown or asks for what a stack cannot do.
    misfits: why a stack cannot be written so; empty when it can.
    write: the config of a stack that fits. links: the tensors of such a stack.
    prefix: what most of its tensors start with, and folders of the bare model leave out.
    ignored: endings of tensors that hold no weights. files: what else its folder carries.
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
        if found := self.misfits(spec):
            raise PortError(f"the {self.name} form cannot express this model: {'; '.join(found)}")


def common_misfits(spec: ModelSpec) -> list[str]:
    """What no stock class can do, whatever its form."""
    found = []
    for name, values in (
        ("num_heads", {layer.num_heads for layer in spec.layers}),
        ("num_kv_heads", {layer.num_kv_heads for layer in spec.layers}),
        ("d_ff", {layer.d_ff for layer in spec.layers}),
    ):
        if len(values) > 1:
            found.append(f"{name} differs by layer ({', '.join(map(str, sorted(values)))})")
    if not spec.layers:
        found.append("num_layers is 0")
    if any(layer.d_ff == 0 for layer in spec.layers):
        found.append("d_ff is 0, a layer without feed-forward")
    if spec.mask != "causal":
        found.append(f"mask is {spec.mask}")
    if spec.attention_identity is not None:
        found.append("attention_identity is set")
    if spec.norm.placement != "pre" or not spec.norm.has_final:
        found.append(f"norm.placement is {spec.norm.placement} with final norm {spec.norm.has_final}")
    if spec.parametrisation.kind != "standard":
        found.append(f"parametrisation is {spec.parametrisation.kind}, which multiplies scores, branches and logits")
    return found


def expected(name: str, found: object, wanted: object) -> list[str]:
    """One misfit, or none."""
    return [] if found == wanted else [f"{name} is {found}, not {wanted}"]

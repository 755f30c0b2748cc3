"""Links between our tensors and those of another form, and conversion in both directions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stacklab.base.errors import PortError
from stacklab.base.text import cut
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer

EXACT_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
"""Dtypes that float32 represents without rounding."""
SHOWN = 3


@dataclass(frozen=True)
class Link:
    """One of our tensors and those of the other form that make it up, stacked by rows.

    shape: shape of our tensor. rows: number of rows of each of theirs, when there are several.
    turned: theirs are transposed (inputs by outputs). unused: rows before theirs that no position uses.
    """

    ours: str
    theirs: tuple[str, ...]
    shape: tuple[int, ...]
    rows: tuple[int, ...] = ()
    turned: bool = False
    unused: int = 0

    @property
    def parts(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of each of theirs."""
        rows = self.rows or self.shape[:1]
        shapes = [(self.unused + count, *self.shape[1:]) for count in rows]
        return [(name, shape[::-1] if self.turned else shape) for name, shape in zip(self.theirs, shapes, strict=True)]

    def join(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Ours, from theirs."""
        parts = [tensors[name].t() if self.turned else tensors[name] for name in self.theirs]
        return torch.cat(parts).contiguous() if len(parts) > 1 else parts[0][self.unused :].contiguous()

    def split(self, ours: Tensor) -> dict[str, Tensor]:
        """Theirs, from ours; unused rows are zeros."""
        if self.unused:
            ours = torch.cat((ours.new_zeros(self.unused, *self.shape[1:]), ours))
        parts = torch.split(ours, list(self.rows)) if self.rows else (ours,)
        return {
            name: (part.t() if self.turned else part).contiguous()
            for name, part in zip(self.theirs, parts, strict=True)
        }


def own_shapes(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of our tensors of a stack."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in Transformer(spec).named_parameters()}


def to_ours(links: Sequence[Link], tensors: Mapping[str, Tensor], *, where: str) -> dict[str, Tensor]:
    """Our tensors, in float32.

    Raises PortError naming tensors that are missing, unknown, of another shape or dtype, or not finite.
    """
    shapes = dict(part for link in links for part in link.parts)
    _check_names(shapes.keys(), tensors.keys(), where)
    for name, shape in shapes.items():
        _check(name, tensors[name], shape, where)
    return {link.ours: link.join(tensors).float() for link in links}


def to_theirs(links: Sequence[Link], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors. A bias that their form has and ours lacks is written as zeros."""
    known = {link.ours for link in links}
    assert ours.keys() <= known, sorted(ours.keys() - known)
    theirs: dict[str, Tensor] = {}
    for link in links:
        if link.ours not in ours:
            assert link.ours.endswith(".bias"), link.ours
        theirs |= link.split(ours.get(link.ours, torch.zeros(link.shape)).detach())
    return theirs


def _check_names(expected: Iterable[str], present: Iterable[str], where: str) -> None:
    expected, present = set(expected), set(present)
    if missing := sorted(expected - present):
        raise PortError(f"{where}: lacks {_listed(missing)}; expected {len(expected)} tensors, found {len(present)}")
    if extra := sorted(present - expected):
        raise PortError(
            f"{where}: has {_listed(extra)}, which this architecture does not use; a model that uses more cannot be "
            "imported exactly"
        )


def _check(name: str, tensor: Tensor, shape: tuple[int, ...], where: str) -> None:
    if tensor.dtype not in EXACT_DTYPES:
        allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in EXACT_DTYPES)
        raise PortError(f"{where}: {name} has dtype {str(tensor.dtype).removeprefix('torch.')}, expected {allowed}")
    if tuple(tensor.shape) != shape:
        raise PortError(f"{where}: {name} has shape {tuple(tensor.shape)}, expected {shape} by its config")
    check_finite(name, tensor, where=where)


def check_finite(name: str, tensor: Tensor, *, where: str) -> None:
    """Raises PortError for numbers that are NaN or infinite."""
    if wrong := int((~tensor.isfinite()).sum()):
        raise PortError(
            f"{where}: {name} has {wrong} of {tensor.numel()} numbers that are NaN or infinite; the model is damaged "
            "or its training diverged"
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"the tensor{'s' if len(names) > 1 else ''} {', '.join(map(cut, names[:SHOWN]))}{more}"

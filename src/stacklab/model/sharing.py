"""Which layers of a stack share their weights. No torch here.

A stack executes `num_layers` layers; those that share a block of weights compute with the same tensors, norms included.
Everything else belongs to the executed layer: its dropout, its cache, its place in the residual stream.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, NonNegativeInt, ValidationInfo, model_validator

from stacklab.base.spec import Items, Spec

SubLayer = Literal["attention", "feed_forward"]
Part = Literal["layer", "attention", "feed_forward"]

MAY_DIFFER: dict[Part, frozenset[str]] = {
    "layer": frozenset({"layer_drop"}),
    "attention": frozenset({"layer_drop", "d_ff"}),
    "feed_forward": frozenset({"layer_drop", "num_heads", "num_kv_heads", "window"}),
}
"""The fields of LayerSpec in which layers that share such a block may differ; they agree in all others."""


class ShareSpec(Spec):
    """Which layers share the weights of whole layers, of attention alone or of the feed-forward alone, each with its
    norms.

    blocks: for each layer, bottom first, the number of the block of weights that it uses. Blocks are numbered in the
    order of their first use. Rules that stand for a list: see `written_out`.

    One block for all layers: Universal Transformer (Dehghani et al. 2019, arXiv 1807.03819). Groups of layers, whole or
    in part: ALBERT (Lan et al. 2020, arXiv 1909.11942, section 4.3).
    """

    part: Part = "layer"
    blocks: Items[NonNegativeInt]

    @model_validator(mode="after")
    def _numbered_in_order(self) -> Self:
        new = 0
        for layer, block in enumerate(self.blocks):
            if block > new:
                raise ValueError(
                    f"layer {layer} points at block {block}, which no layer has; expected {_up_to(new)}, since blocks "
                    "are numbered in the order of their first use"
                )
            new = max(new, block + 1)
        return self

    def sources(self, part: SubLayer) -> tuple[int, ...] | None:
        """For each layer the first one that uses the same attention or feed-forward; None where none share it."""
        return self._first() if self.part in ("layer", part) else None

    def check(self, layers: Sequence[Any], *, depth_rule: bool) -> None:
        """Raises ValueError unless layers that share a block are alike, and for a rule for depth.

        layers: the LayerSpec of each layer. depth_rule: see MupSpec.base_num_layers.
        """
        if depth_rule:
            raise ValueError(
                "parametrisation.base_num_layers: the rule for depth holds for layers with weights of their own; "
                "leave share out, or base_num_layers"
            )
        if len(self.blocks) != len(layers):
            raise ValueError(f"share lists {len(self.blocks)} blocks for num_layers = {len(layers)} layers")
        for index, first in enumerate(self._first()):
            one, other = layers[first], layers[index]
            if first < index and self.part == "feed_forward" and not (one.d_ff and other.d_ff):
                raise ValueError(
                    f"share: layers {first} and {index} share a feed-forward, which d_ff = 0 leaves out; set d_ff, or "
                    "share their attention"
                )
            for name in other._fields:
                mine, wanted = getattr(other, name), getattr(one, name)
                if name not in MAY_DIFFER[self.part] and mine != wanted:
                    raise ValueError(
                        f"share: layer {index} uses block {self.blocks[index]} of layer {first}, but its {name} is "
                        f"{mine}, that of layer {first} is {wanted}; make them equal, or list another block"
                    )

    def _first(self) -> tuple[int, ...]:
        first: dict[int, int] = {}
        return tuple(first.setdefault(block, layer) for layer, block in enumerate(self.blocks))


def written_out(share: Any, num_layers: int) -> Any:
    """The fields of a ShareSpec, its rule written out as a list of blocks.

    A list, or `all`, stands for {blocks: ...}. In place of blocks, {cycle: c} repeats c blocks in turn, and {groups: g}
    makes g groups of consecutive layers (ALBERT's num_hidden_groups). Raises ValueError for any other form, and for a
    rule that does not fit the number of layers.
    """
    if share is None or isinstance(share, ShareSpec):
        return share
    fields = share if isinstance(share, dict) else {"blocks": share}
    rules = [name for name in ("blocks", "cycle", "groups") if name in fields]
    if len(rules) != 1:
        raise ValueError(f"expected one of blocks, cycle and groups, got {' and '.join(rules) or 'none of them'}")
    rule, value = rules[0], fields[rules[0]]
    if rule == "blocks" and isinstance(value, list | tuple):
        return fields
    if rule == "blocks" and value != "all":
        raise ValueError(f"expected a list with the block of each layer, or all, got {value!r}")
    blocks = _blocks(rule, 1 if rule == "blocks" else value, num_layers)
    return {name: each for name, each in fields.items() if name != rule} | {"blocks": blocks}


def _blocks(rule: str, count: Any, num_layers: int) -> list[int]:
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= max(1, num_layers):
        raise ValueError(f"{rule}: expected a whole number from 1 to num_layers = {num_layers}, got {count!r}")
    if rule == "groups":
        return [layer * count // num_layers for layer in range(num_layers)]
    return [layer % count for layer in range(num_layers)]


def _up_to(new: int) -> str:
    return "0" if new == 0 else f"at most {new}"


def _read(share: Any, info: ValidationInfo) -> Any:
    return written_out(share, info.data["num_layers"]) if "num_layers" in info.data else share


def _none_if_alone(share: ShareSpec | None, info: ValidationInfo) -> ShareSpec | None:
    """None where every layer has a block of its own, so that equal stacks have equal specs."""
    alone = share is not None and share.blocks == tuple(range(info.data.get("num_layers", -1)))
    return None if alone else share


Share = Annotated[ShareSpec | None, BeforeValidator(_read), AfterValidator(_none_if_alone)]
"""A ShareSpec, a list of blocks, or a rule: see `written_out`."""

"""Which layers of a stack share their weights. No torch here.

A stack executes `num_layers` layers; those that share a block of weights compute with the same tensors, norms included.
Everything else belongs to the executed layer: its dropout, its cache, its place in the residual stream.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, NonNegativeInt, PositiveInt, ValidationInfo, model_validator

from stacklab.base.spec import Items, Spec, added

SubLayer = Literal["attention", "feed_forward"]
Part = Literal["layer", "attention", "feed_forward"]

MAY_DIFFER: dict[Part, frozenset[str]] = {
    "layer": frozenset({"layer_drop"}),
    "attention": frozenset({"layer_drop", "d_ff"}),
    "feed_forward": frozenset({"layer_drop", "num_heads", "num_kv_heads", "window", "attention_pattern"}),
}
"""The fields of LayerSpec in which layers that share such a block may differ; they agree in all others."""

FORMS = ("blocks", "cycle", "groups")


class ShareSpec(Spec):
    """Which layers share the weights of whole layers, of attention alone or of the feed-forward alone, each with its
    norms. One of three forms:

    blocks: for each layer, bottom first, the number of the block of weights that it uses. Blocks are numbered in the
    order of their first use.
    cycle: that many blocks in turn; 1 is one block for all layers (Universal Transformer, Dehghani et al. 2019, arXiv
    1807.03819). groups: that many groups of consecutive layers (ALBERT's num_hidden_groups, Lan et al. 2020, arXiv
    1909.11942, which also shares parts: section 4.3).
    """

    part: Part = "layer"
    blocks: Items[NonNegativeInt] | None = added(None)
    cycle: PositiveInt | None = added(None)
    groups: PositiveInt | None = added(None)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        stated = [form for form in FORMS if getattr(self, form) is not None]
        if len(stated) != 1:
            raise ValueError(f"expected one of {', '.join(FORMS)}, got {' and '.join(stated) or 'none of them'}")
        new = 0
        for layer, block in enumerate(self.blocks or ()):
            if block > new:
                raise ValueError(
                    f"layer {layer} points at block {block}, which no layer has; expected "
                    f"{f'at most {new}' if new else 0}, since blocks are numbered in the order of their first use"
                )
            new = max(new, block + 1)
        return self

    def of_layers(self, num_layers: int) -> tuple[int, ...]:
        """The number of the block of each layer, bottom first."""
        if self.blocks is not None:
            return self.blocks
        if self.cycle is not None:
            return tuple(layer % self.cycle for layer in range(num_layers))
        assert self.groups is not None, "one of the forms is stated"
        return tuple(layer * self.groups // num_layers for layer in range(num_layers))

    def check(self, layers: Sequence[Any], *, has_depth_rule: bool) -> None:
        """Raises ValueError unless layers that share a block are alike, and for a rule for depth.

        layers: the LayerSpec of each layer. has_depth_rule: see MupSpec.base_num_layers.
        """
        if has_depth_rule:
            raise ValueError(
                "parametrisation.base_num_layers: the rule for depth holds for layers with weights of their own; "
                "leave share out, or base_num_layers"
            )
        if self.blocks is not None and len(self.blocks) != len(layers):
            raise ValueError(f"share lists {len(self.blocks)} blocks for num_layers = {len(layers)} layers")
        for form in ("cycle", "groups"):
            if (count := getattr(self, form)) is not None and count > max(1, len(layers)):
                raise ValueError(f"share.{form} = {count} exceeds num_layers = {len(layers)}")
        for index, first in enumerate(self.first(len(layers))):
            if first < index:
                self._check_alike(index, layers[index], first, layers[first])

    def _check_alike(self, index: int, layer: Any, first: int, holder: Any) -> None:
        if self.part == "feed_forward" and not (layer.d_ff and holder.d_ff):
            raise ValueError(
                f"share: layers {first} and {index} share a feed-forward, which d_ff = 0 leaves out; set d_ff, or "
                "share their attention"
            )
        for name in layer._fields:
            mine, wanted = getattr(layer, name), getattr(holder, name)
            if name not in MAY_DIFFER[self.part] and mine != wanted:
                raise ValueError(
                    f"share: layer {index} uses the weights of layer {first}, but its {name} is {mine}, that of layer "
                    f"{first} is {wanted}; make them equal, or share other layers"
                )

    def first(self, num_layers: int) -> tuple[int, ...]:
        """For each layer the lowest one that uses the same block."""
        first: dict[int, int] = {}
        return tuple(first.setdefault(block, layer) for layer, block in enumerate(self.of_layers(num_layers)))


def _read(share: Any) -> Any:
    """A list stands for its blocks, `all` for one block."""
    if share == "all":
        return {"cycle": 1}
    if isinstance(share, list | tuple):
        return {"blocks": share}
    if share is None or isinstance(share, dict | ShareSpec):
        return share
    raise ValueError(
        f"expected a list with the block of each layer, all, or {{part, {', '.join(FORMS)}}}, got {share!r}"
    )


def _none_if_alone(share: ShareSpec | None, info: ValidationInfo) -> ShareSpec | None:
    """None for a list where every layer has a block of its own, so that equal stacks have equal specs."""
    alone = share is not None and share.blocks == tuple(range(info.data.get("num_layers", -1)))
    return None if alone else share


Share = Annotated[ShareSpec | None, BeforeValidator(_read), AfterValidator(_none_if_alone)]
"""A ShareSpec; a list stands for its blocks, `all` for one block."""

Layer = TypeVar("Layer")


def sources(share: ShareSpec | None, part: SubLayer, num_layers: int) -> tuple[int, ...]:
    """For each layer the index of the layer that holds its attention or feed-forward: its own, or the lowest one with
    which it shares it."""
    if share is None or share.part not in ("layer", part):
        return tuple(range(num_layers))
    return share.first(num_layers)


def stored(share: ShareSpec | None, part: SubLayer, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers that hold an attention or a feed-forward, bottom first: each set of weights once."""
    held = sources(share, part, len(layers))
    return tuple(layer for index, layer in enumerate(layers) if held[index] == index)

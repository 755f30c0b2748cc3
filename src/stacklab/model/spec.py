"""The settings of a stack: widths, depth, heads, norms, positions. No torch here."""

import math
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from stacklab.base.spec import BITS, LARGEST, Items, Size, Spec, Text, added
from stacklab.base.text import cut
from stacklab.base.units import count, size
from stacklab.model.masks import Mask, Visibility, check_pattern, visibility_of
from stacklab.model.patterns.kinds import AnyPattern, Pattern, of_layers, resolved
from stacklab.model.positions.kinds import LearnedPositions, Position
from stacklab.model.residual import PLACEMENTS, PlacementName, PlainResidual, Residual
from stacklab.model.settings.shorthands import MOST_LAYERS, MOST_SCHEDULED, Biases, BiasSpec, HeadSchedule
from stacklab.model.sharing import Share

T = TypeVar("T")

Activation = Literal["gelu", "gelu_tanh", "relu", "silu"]


class LayerSpec(NamedTuple):
    """One layer after scalars and defaults are expanded. `window` None hides nothing that the mask shows; `d_ff` 0 is
    a layer of attention alone; `num_kv_heads` below `num_heads` is attention whose heads share keys and values;
    `attention_pattern` None leaves all to the window."""

    num_heads: int
    d_ff: int
    window: int | None
    layer_drop: float
    num_kv_heads: int
    attention_pattern: AnyPattern | None = None


class NormSpec(Spec):
    """A norm before each sub-layer (pre), after each residual addition (post), or nowhere in the layers (none); before
    and after each sub-layer (sandwich), and on the embeddings too (peri); after each sub-layer (reordered).

    kind: LayerNorm, or RMSNorm, which neither centres nor has a bias (Zhang & Sennrich 2019, arXiv 1910.07467).
    final: a norm before the head; None means that post and none have none and the others do.
    bias: by default, LayerNorm has one and RMSNorm has none.
    """

    kind: Literal["layer", "rms"] = "layer"
    placement: PlacementName = "pre"
    final: bool | None = None
    bias: bool = Field(default_factory=lambda fields: fields["kind"] == "layer")
    epsilon: float = Field(1e-5, gt=0)

    @model_validator(mode="after")
    def _no_bias_in_rms(self) -> Self:
        if self.kind == "rms" and self.bias:
            raise ValueError("norm.bias = true: RMSNorm has no bias; set norm.bias to false, or norm.kind to layer")
        return self

    @property
    def has_final(self) -> bool:
        return PLACEMENTS[self.placement].final_norm if self.final is None else self.final


class InitSpec(Spec):
    """Normal initialisation.

    residual: `depth_scaled` divides the residual projections, two in a layer with a feed-forward and one in a layer
    without, by the square root of their number (GPT-2, Radford et al. 2019, section 2.3).
    token_std, position_std: deviations of the token table and of the tables of positions; None means std.
    """

    std: float = Field(0.02, gt=0)
    token_std: float | None = Field(None, gt=0)
    position_std: float | None = Field(None, gt=0)
    residual: Literal["plain", "depth_scaled"] = "plain"

    @property
    def token_deviation(self) -> float:
        return self.std if self.token_std is None else self.token_std

    @property
    def position_deviation(self) -> float:
        return self.std if self.position_std is None else self.position_std


class StandardSpec(Spec):
    """The same initial deviation and the same rate for every tensor, whatever the width and the depth."""

    kind: Literal["standard"] = "standard"


class MupSpec(Spec):
    """Maximal-update parametrisation: settings found at the base's size hold at other sizes (docs/parametrisation.md).

    base_d_model: the width at which it equals standard.
    base_head_size: the base's head size, to which attention scores are scaled; None means that the base has as many
    heads as this stack, so that the head size grows with the width.
    base_num_layers: the depth at which it equals standard; None means no rule for depth.
    depth_exponent: a layer's branches are multiplied by (base_num_layers / num_layers) to this power: 0.5 is Depth-muP
    (Yang et al. 2023, arXiv 2310.02244), 1 is CompleteP (Dey et al. 2025, arXiv 2505.01618).
    """

    kind: Literal["mup"] = "mup"
    base_d_model: PositiveInt
    base_head_size: PositiveInt | None = None
    base_num_layers: PositiveInt | None = None
    depth_exponent: float = Field(1.0, ge=0.5, le=1)


Parametrisation = Annotated[StandardSpec | MupSpec, Field(discriminator="kind")]


class ModelSpec(Spec):
    """A stack of layers. A per-layer field takes one value for all layers or a list of `num_layers` values.

    vocab_size: None is replaced by the tokenizer's size when a study is planned.
    num_heads: also {schedule: ascending, smallest: 3}, see HeadSchedule; it is stored as the resulting list.
    num_kv_heads: heads of keys and values, each shared by num_heads / num_kv_heads heads of queries (grouped-query
    attention, Ainslie et al. 2023, arXiv 2305.13245; 1 is multi-query attention). None means num_heads.
    d_ff: None means 4 * d_model; 0 leaves the feed-forward and its norm out.
    feed_forward: plain is output(activation(expand(x))); gated is output(activation(gate(x)) * up(x)), SwiGLU where the
    activation is silu (Shazeer 2020, arXiv 2002.05202), which has a third map of the same size.
    mask: causal shows a query no later position, full shows it all.
    window: how many positions a query sees backwards, itself included, and forwards where the mask is full; None means
    no limit.
    attention_pattern: other pairs than a window shows; also full layers, windows and cycles: see patterns/kinds.py.
    attention_scale: factor of queries times keys: 1 / sqrt(head size), or none (GPT-Neo).
    attention_identity: the first value of a trained number a per head; the score of positions i and j then gains
    a <x_i, x_j>, where x is the input of the maps to queries and keys (Boix-Adsera et al. 2024, arXiv 2310.09753). None
    leaves it out.
    qk_norm: queries and keys are normed before positions act on them, by a norm of the kind, bias and epsilon of
    `norm`: over each head, with one weight for all heads (head; Qwen 3, Gemma 3), or over all heads together
    (projection; OLMo 2). Dehghani et al. 2023, arXiv 2302.05442, section 2.
    residual: how the outputs of sub-layers join the stream: see residual.py.
    linear_bias: true, false, or which linear maps have a bias.
    token_table: frozen never trains the token embeddings; the head must then be untied.
    layer_drop: probability that training skips the layer for a batch (stochastic depth, Huang et al. 2016, with the
    kept branch scaled by 1 / (1 - p)).
    start_from: the model whose weights are the first ones, in place of random ones: in a study a run, an imported model
    or a model folder; in a run the name of kept weights (train.start).
    share: which layers use the same weights, see sharing.py; num_layers and per-layer fields are of executed layers.
    dropout: after the embeddings and after each sub-layer. attention_dropout: on the attention probabilities.
    """

    vocab_size: Size | None = None
    d_model: Size = 384
    num_layers: int = Field(12, ge=0)
    num_heads: PositiveInt | Items[PositiveInt] = 8
    num_kv_heads: PositiveInt | Items[PositiveInt] | None = None
    d_ff: NonNegativeInt | Items[NonNegativeInt] | None = None
    feed_forward: Literal["plain", "gated"] = "plain"
    mask: Mask = "causal"
    window: PositiveInt | Items[PositiveInt | None] | None = None
    layer_drop: float | Items[float] = 0.0
    context_length: Size = 512
    position: Position = LearnedPositions()
    activation: Activation = "gelu"
    attention_scale: Literal["inverse_sqrt", "none"] = "inverse_sqrt"
    attention_identity: float | None = None
    linear_bias: Biases = BiasSpec()
    token_table: Literal["trained", "frozen"] = "trained"
    tie_embeddings: bool = True
    dropout: float = Field(0.1, ge=0, lt=1)
    attention_dropout: float = Field(0.1, ge=0, lt=1)
    norm: NormSpec = NormSpec()
    init: InitSpec = InitSpec()
    parametrisation: Parametrisation = StandardSpec()
    start_from: Text | None = added(None)
    qk_norm: Literal["none", "head", "projection"] = added("none")
    residual: Residual = added(PlainResidual())
    attention_pattern: Pattern | Items[Pattern | None] | None = added(None)
    share: Share = added(None)

    @field_validator("num_layers")
    @classmethod
    def _can_be_described(cls, num_layers: int, info: ValidationInfo) -> int:
        """Before layers are expanded. Queries and the output of attention alone have d_model² numbers each."""
        if num_layers > MOST_LAYERS:
            least = 2 * min(num_layers, 2**BITS) * info.data.get("d_model", 1) ** 2
            raise ValueError(
                f"{cut(f'{num_layers:,}')} layers, expected at most {MOST_LAYERS:,}, since a plan describes each; they "
                f"would have at least 2 x d_model² parameters each, {count(least)} together, {size(4 * least)} in fp32"
            )
        return num_layers

    @model_validator(mode="before")
    @classmethod
    def _scheduled(cls, fields: Any) -> Any:
        """Replace a schedule of heads or patterns by the resulting list, so that equal stacks have equal specs."""
        if not isinstance(fields, dict):
            return fields
        num_layers = fields.get("num_layers", cls.model_fields["num_layers"].default)
        if fields.get("attention_pattern") is not None:
            fields = resolved(fields, num_layers)
        if not isinstance(fields.get("num_heads"), dict):
            return fields
        if not isinstance(num_layers, int) or not 0 <= num_layers <= MOST_SCHEDULED:
            raise ValueError(f"num_heads: a schedule needs num_layers from 0 to {MOST_SCHEDULED}, got {num_layers!r}")
        return fields | {"num_heads": HeadSchedule.model_validate(fields["num_heads"]).heads(num_layers)}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in LayerSpec._fields:
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.num_layers:
                raise ValueError(f"{name} lists {len(value)} values for num_layers = {self.num_layers} layers")
        for index, layer in enumerate(self.layers):
            self._check_layer(index, layer)
        self._check_tables()
        scaled = self.parametrisation
        has_depth_rule = isinstance(scaled, MupSpec) and scaled.base_num_layers is not None
        self.residual.check(self.norm.placement, initial=self.init.residual, has_depth_rule=has_depth_rule)
        if self.share is not None:
            self.share.check(self.layers, has_depth_rule=has_depth_rule)
        if has_depth_rule and not PLACEMENTS[self.norm.placement].depth_rule:
            raise ValueError(
                "parametrisation.base_num_layers: the rule for depth holds for norms before the sub-layers; "
                "set norm.placement: pre, or leave base_num_layers out"
            )
        return self

    def _check_layer(self, index: int, layer: LayerSpec) -> None:
        if self.d_model % layer.num_heads:
            raise ValueError(f"num_heads = {layer.num_heads} (layer {index}) does not divide d_model = {self.d_model}")
        if layer.num_heads % layer.num_kv_heads:
            raise ValueError(
                f"num_kv_heads = {layer.num_kv_heads} (layer {index}) does not divide num_heads = {layer.num_heads}"
            )
        if layer.d_ff > 4 * LARGEST:
            raise ValueError(f"d_ff = {layer.d_ff:,} (layer {index}) exceeds {4 * LARGEST:,}")
        if not 0 <= layer.layer_drop < 1:
            raise ValueError(f"layer_drop = {layer.layer_drop} (layer {index}) must lie in [0, 1)")
        check_pattern(self.visibility(layer), index)

    def _check_tables(self) -> None:
        num_heads = tuple(layer.num_heads for layer in self.layers)
        self.position.check(d_model=self.d_model, context_length=self.context_length, num_heads=num_heads)
        if self.token_table == "frozen" and self.tie_embeddings:
            raise ValueError("token_table = frozen would freeze the tied head too; set tie_embeddings to false")

    @property
    def num_branches(self) -> int:
        """Number of sub-layers: two in a layer with a feed-forward, one in a layer without."""
        return sum(2 if layer.d_ff else 1 for layer in self.layers)

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers, bottom first, with scalars and defaults expanded."""
        d_ff = 4 * self.d_model if self.d_ff is None else self.d_ff
        kv_heads = self.num_heads if self.num_kv_heads is None else self.num_kv_heads
        patterns = of_layers(self._spread(self.attention_pattern))
        values: tuple[Any, ...] = (self.num_heads, d_ff, self.window, self.layer_drop, kv_heads, patterns)
        return tuple(LayerSpec(*row) for row in zip(*map(self._spread, values), strict=True))

    def visibility(self, layer: LayerSpec) -> Visibility:
        """Which keys the queries of a layer see."""
        return visibility_of(self.mask, layer.window, layer.attention_pattern, self.context_length)

    @property
    def width_step(self) -> int:
        """d_model must be a multiple of this while the other settings stay: all numbers of heads divide it, and
        positions may need pairs."""
        return self.position.width_step(math.lcm(*(layer.num_heads for layer in self.layers)))

    def _spread(self, value: T | tuple[T, ...]) -> tuple[T, ...]:
        return value if isinstance(value, tuple) else (value,) * self.num_layers

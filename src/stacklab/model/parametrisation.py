"""How initial deviations, rates and multipliers follow width and depth. Plain numbers per tensor; no torch here.

With m = d_model / base_d_model, l = num_layers / base_num_layers and a = depth_exponent:

| tensors | initial deviation | rate (Adam) | decay | epsilon |
|---|---|---|---|---|
| token and position tables, untied head | 1 | 1 | 1 | 1/m |
| matrices of the layers | 1/sqrt(m) | l^(a-1) / m | m l^(1-a) | 1 / (m l^a) |
| norms and biases of the layers | - | l^(a-1) | - | 1 / (m l^a) |
| final norm | - | 1 | - | 1/m |

Logits are divided by m, scores by the head size, branches by l^a. Width: Yang et al. 2022 (Tensor Programs V, arXiv
2203.03466, tables 3 and 8 and section 4; table 8's form is the one that allows a tied head). Depth, decay and epsilon:
Dey et al. 2025 (CompleteP, arXiv 2505.01618, table 1); a = 1/2: Yang et al. 2023 (Depth-muP, arXiv 2310.02244). All
factors are 1 at the base's size and under the standard parametrisation, where m = l = 1.
"""

import math

from stacklab.model.spec import LayerSpec, ModelSpec, MupSpec

RESIDUAL_OUTPUTS = ("attention.output.weight", "feed_forward.output.weight")
SCALED_WHOLE = ("feed_forward.expand.weight", *RESIDUAL_OUTPUTS)
"""What a residual rule scales at the start, beside the values of attention: see value_factor."""
LAYER_MATRICES = ("attention.query_key_value.weight", "feed_forward.expand.weight", *RESIDUAL_OUTPUTS)


def initial_std(spec: ModelSpec, name: str) -> float:
    """Standard deviation of a table's or matrix's initial values; of those of values, before `value_factor`.

    `depth_scaled` counts the base's layers where there is a rule for depth, whose branches shrink by themselves.
    """
    if name.startswith("token_embedding."):
        return spec.init.token_deviation
    if name.startswith("position_embedding."):
        return spec.init.position_deviation
    std = spec.init.std
    if spec.init.residual == "depth_scaled" and name.endswith(RESIDUAL_OUTPUTS):
        std /= math.sqrt(spec.num_branches / _depth(spec))
    if name.endswith(SCALED_WHOLE):
        std *= spec.residual.initial_factor(spec.num_branches)
    return std / math.sqrt(_width(spec)) if _is_layer_matrix(name) else std


def value_factor(spec: ModelSpec) -> float:
    """Factor of the initial rows of the map to values, which is part of query_key_value."""
    return spec.residual.initial_factor(spec.num_branches)


def learning_rate_factor(spec: ModelSpec, name: str) -> float:
    """Factor of the learning rate of a tensor."""
    if not _is_in_layer(name):
        return 1.0
    depth = math.pow(_depth(spec), _exponent(spec) - 1)
    return depth / _width(spec) if _is_layer_matrix(name) else depth


def weight_decay_factor(spec: ModelSpec, name: str) -> float:
    """Factor of the decay of a tensor: a step of AdamW shrinks it by rate * decay, which stays the same.

    With a < 1 this adds l^(1-a) to the table of CompleteP, under which deep stacks would decay less.
    """
    return 1 / learning_rate_factor(spec, name)


def epsilon_factor(spec: ModelSpec, name: str) -> float:
    """Factor of Adam's epsilon, which follows the size of the tensor's gradients."""
    return (residual_multiplier(spec) if _is_in_layer(name) else 1.0) / _width(spec)


def logit_multiplier(spec: ModelSpec) -> float:
    """Factor of the logits, for an untied and a tied head."""
    return 1 / _width(spec)


def attention_multiplier(spec: ModelSpec, layer: LayerSpec) -> float:
    """Factor of scores beside 1/sqrt(head size): together sqrt(base's head size) / head size."""
    if not isinstance(spec.parametrisation, MupSpec):
        return 1.0
    head_size = spec.parametrisation.base_head_size
    base = spec.parametrisation.base_d_model / layer.num_heads if head_size is None else head_size
    ratio = base / (spec.d_model // layer.num_heads)
    return math.sqrt(ratio) if spec.attention_scale == "inverse_sqrt" else ratio


def identity_multiplier(spec: ModelSpec) -> float:
    """Factor of the identity term of attention: <x, x> grows with the width, as logits do."""
    return 1 / _width(spec)


def residual_multiplier(spec: ModelSpec) -> float:
    """Factor of each branch of a layer before it is added to the stream, by the parametrisation."""
    return math.pow(_depth(spec), -_exponent(spec))


def branch_multiplier(spec: ModelSpec) -> float:
    """Factor of each branch of a layer, by the parametrisation and the residual rule. For at least one layer."""
    return residual_multiplier(spec) * spec.residual.branch_factor(spec.num_branches)


def _is_in_layer(name: str) -> bool:
    return name.startswith("blocks.")


def _is_layer_matrix(name: str) -> bool:
    return name.endswith(LAYER_MATRICES)


def _width(spec: ModelSpec) -> float:
    """m: the width in units of the base's."""
    return spec.d_model / spec.parametrisation.base_d_model if isinstance(spec.parametrisation, MupSpec) else 1.0


def _depth(spec: ModelSpec) -> float:
    """l: the depth in units of the base's. Defined for stacks with at least one layer."""
    return spec.num_layers / _base_num_layers(spec)


def _base_num_layers(spec: ModelSpec) -> int:
    base = spec.parametrisation.base_num_layers if isinstance(spec.parametrisation, MupSpec) else None
    return spec.num_layers if base is None else base


def _exponent(spec: ModelSpec) -> float:
    return spec.parametrisation.depth_exponent if isinstance(spec.parametrisation, MupSpec) else 1.0

"""Our own form, for stacks that no stock class can express: per-layer heads and widths, other norms, biases.

Its folder contains the two files that transformers needs to open it (`auto_map`); `register` registers the same class
in a process that has stacklab.
"""

from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

from stacklab.base.errors import PortError
from stacklab.base.text import cut, shown
from stacklab.model.parametrisation import (
    attention_multiplier,
    branch_multiplier,
    identity_multiplier,
    logit_multiplier,
)
from stacklab.model.port.fields import HARMLESS, read_stack
from stacklab.model.port.form import Config, Form, one_of, unknown_settings
from stacklab.model.port.links import Link, own_shapes
from stacklab.model.sharing import SubLayer, sources
from stacklab.model.spec import LayerSpec, ModelSpec

FILES = tuple(Path(__file__).parent / f"{name}_stacklab.py" for name in ("configuration", "modeling"))
AUTO_MAP = {
    "AutoConfig": "configuration_stacklab.StacklabConfig",
    "AutoModelForCausalLM": "modeling_stacklab.StacklabForCausalLM",
}


def read(config: Config) -> ModelSpec:
    """The stack that the config was written from; every other key must agree with it.

    Raises PortError for a key that does not.
    """
    spec = read_stack(config.get("stack"), "config: stack")
    written = write(spec)
    for key in sorted(config.keys() - HARMLESS - {"num_hidden_layers"}):
        if key not in written or config[key] != written[key]:
            raise PortError(
                f"config: {cut(key)} is {shown(config[key])}, its stack says {shown(written.get(key, 'nothing'))}"
            )
    return spec


EXPRESSED = {
    "mask": ("causal",),
    "position.kind": ("learned", "sinusoidal", "none", "factored", "rotary"),
    "norm.kind": ("layer", "rms"),
    "norm.placement": ("pre", "post", "none", "sandwich", "peri", "reordered"),
    "qk_norm": ("none", "head", "projection"),
    "residual.kind": ("plain", "depth_scaled", "deepnorm", "rezero"),
    "feed_forward": ("plain", "gated"),
    "activation": ("gelu", "gelu_tanh", "relu", "silu"),
    "attention_scale": ("inverse_sqrt", "none"),
    "parametrisation.kind": ("standard", "mup"),
}
"""The kinds that modeling_stacklab.py computes, by field. Any other is refused."""

PATTERNS = ("global", "strided", "block", "random_blocks")
"""The kinds of attention patterns that it computes."""


def misfits(spec: ModelSpec) -> list[str]:
    kinds = (one_of(name, attrgetter(name)(spec), allowed) for name, allowed in EXPRESSED.items())
    patterns = {layer.attention_pattern.kind for layer in spec.layers if layer.attention_pattern is not None}
    others = (one_of("attention_pattern", kind, PATTERNS) for kind in sorted(patterns))
    return [*unknown_settings(spec), *chain.from_iterable(kinds), *chain.from_iterable(others)]


def write(spec: ModelSpec) -> dict[str, Any]:
    layers = spec.layers
    return {
        "auto_map": AUTO_MAP,
        "vocab_size": spec.vocab_size,
        "hidden_size": spec.d_model,
        "max_position_embeddings": spec.context_length,
        "layer_heads": [layer.num_heads for layer in layers],
        "layer_kv_heads": [layer.num_kv_heads for layer in layers],
        "layer_d_ff": [layer.d_ff for layer in layers],
        "layer_windows": [layer.window for layer in layers],
        "layer_scales": [_scale(spec, layer) for layer in layers],
        "position": spec.position.dump(),
        "activation": spec.activation,
        "gated": spec.feed_forward == "gated",
        "bias_query_key_value": spec.linear_bias.query_key_value,
        "bias_output": spec.linear_bias.output,
        "bias_feed_forward": spec.linear_bias.feed_forward,
        "norm": spec.norm.kind,
        "norm_placement": spec.norm.placement,
        "norm_bias": spec.norm.bias,
        "norm_epsilon": spec.norm.epsilon,
        "final_norm": spec.norm.has_final,
        "identity_scale": None if spec.attention_identity is None else identity_multiplier(spec),
        "qk_norm": spec.qk_norm,
        "residual_multiplier": branch_multiplier(spec) if layers else 1.0,
        "stream_multiplier": spec.residual.stream_factor(spec.num_branches) if layers else 1.0,
        "trained_residual": spec.residual.trained,
        "logit_multiplier": logit_multiplier(spec),
        "dropout": spec.dropout,
        "attention_dropout": spec.attention_dropout,
        "tie_word_embeddings": spec.tie_embeddings,
        "stack": spec.dump(),
        **({} if spec.attention_pattern is None else {"layer_patterns": [_pattern(spec, layer) for layer in layers]}),
    } | _shared(spec)


def _shared(spec: ModelSpec) -> dict[str, Any]:
    """The keys of a stack whose layers share weights; left out of others, as files without them say the same."""
    if spec.share is None:
        return {}
    return {f"layer_{part}_of": list(sources(spec.share, part, spec.num_layers)) for part in get_args(SubLayer)}


def links(spec: ModelSpec) -> list[Link]:
    """Our tensors, with equal names and shapes."""
    return [Link(name, (name,), shape) for name, shape in own_shapes(spec).items()]


def _pattern(spec: ModelSpec, layer: LayerSpec) -> dict[str, Any] | None:
    """The settings of a layer's pattern; of random blocks also those drawn, and the number of all blocks."""
    if layer.attention_pattern is None:
        return None
    pattern = layer.attention_pattern.dump()
    if pattern["kind"] != "random_blocks":
        return pattern
    drawn = [list(row) for row in spec.visibility(layer).drawn]
    return pattern | {"drawn": drawn, "blocks": -(-spec.context_length // pattern["size"])}


def _scale(spec: ModelSpec, layer: LayerSpec) -> float:
    usual = (spec.d_model // layer.num_heads) ** -0.5 if spec.attention_scale == "inverse_sqrt" else 1.0
    return usual * attention_multiplier(spec, layer)


OWN = Form(
    name="stacklab",
    model_type="stacklab",
    architecture="StacklabForCausalLM",
    read=read,
    misfits=misfits,
    write=write,
    links=links,
    files=FILES,
)


def register() -> None:
    """Register configuration and model with transformers' Auto classes; repeating it changes nothing.

    It imports transformers and torch. Raises ImportError where transformers is not installed.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    from stacklab.model.port.configuration_stacklab import StacklabConfig
    from stacklab.model.port.modeling_stacklab import StacklabForCausalLM

    AutoConfig.register(StacklabConfig.model_type, StacklabConfig, exist_ok=True)
    AutoModelForCausalLM.register(StacklabConfig, StacklabForCausalLM, exist_ok=True)

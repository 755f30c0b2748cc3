"""Llama as transformers writes it (LlamaForCausalLM): RMSNorm, rotary positions, gated feed-forward, shared keys.

Touvron et al. 2023 (arXiv 2302.13971, 2307.09288). Its rotary positions pair number i of a head with i + K / 2, like
ours.
"""

from typing import Any

from stacklab.base.text import shown
from stacklab.model.port.fields import Fields, as_spec
from stacklab.model.port.form import Config, Form, common_misfits, expected, one_of
from stacklab.model.port.gpt2 import THEIR_ACTIVATIONS, their_activation, window_misfits
from stacklab.model.port.links import Link
from stacklab.model.spec import ModelSpec

DEFAULT_BASE = 10_000.0


def read(config: Config) -> ModelSpec:
    fields = Fields(config, "Llama")
    fields.null_is_absent("num_key_value_heads")
    fields.must("pretraining_tp", None, 1)
    fields.must("rope_interleaved", False)
    width, heads = fields.size("hidden_size", 4096), fields.size("num_attention_heads", 32)
    fields.must("head_dim", None, width // heads)
    attention_bias = fields.flag("attention_bias", False)
    stack = {
        "vocab_size": fields.size("vocab_size", 32000),
        "d_model": width,
        "num_layers": fields.depth("num_hidden_layers", 32),
        "num_heads": heads,
        "num_kv_heads": fields.size("num_key_value_heads", heads),
        "d_ff": fields.size("intermediate_size", 11008),
        "feed_forward": "gated",
        "context_length": fields.size("max_position_embeddings", 2048),
        "position": {"kind": "rotary", "base": _base(fields)},
        "activation": fields.choice("hidden_act", THEIR_ACTIVATIONS, "silu"),
        "linear_bias": {
            "query_key_value": attention_bias,
            "output": attention_bias,
            "feed_forward": fields.flag("mlp_bias", False),
        },
        "tie_embeddings": fields.flag("tie_word_embeddings", False),
        "dropout": 0.0,
        "attention_dropout": fields.number("attention_dropout", 0.0),
        "norm": {"kind": "rms", "epsilon": fields.number("rms_norm_eps", 1e-6)},
    }
    fields.finish(("is_llama_config",))
    return as_spec(stack)


def misfits(spec: ModelSpec) -> list[str]:
    return [
        *common_misfits(spec),
        *window_misfits(spec),
        *expected("position", spec.position.kind, "rotary"),
        *expected("norm.kind", spec.norm.kind, "rms"),
        *expected("feed_forward", spec.feed_forward, "gated"),
        *one_of("activation", spec.activation, sorted(set(THEIR_ACTIVATIONS.values()))),
        *expected("attention_scale", spec.attention_scale, "inverse_sqrt"),
    ]


def write(spec: ModelSpec) -> dict[str, Any]:
    assert spec.position.kind == "rotary"
    layer = spec.layers[0]
    return {
        "vocab_size": spec.vocab_size,
        "max_position_embeddings": spec.context_length,
        "hidden_size": spec.d_model,
        "num_hidden_layers": spec.num_layers,
        "num_attention_heads": layer.num_heads,
        "num_key_value_heads": layer.num_kv_heads,
        "intermediate_size": layer.d_ff,
        "hidden_act": their_activation(spec.activation),
        "rms_norm_eps": spec.norm.epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": spec.position.base},
        # Older versions of transformers, and llama.cpp's converter, read it here.
        "rope_theta": spec.position.base,
        "attention_bias": _attention_bias(spec),
        "mlp_bias": spec.linear_bias.feed_forward,
        "attention_dropout": spec.attention_dropout,
        "tie_word_embeddings": spec.tie_embeddings,
    }


def links(spec: ModelSpec) -> list[Link]:
    width, vocab = spec.d_model, spec.vocab_size or 0
    links = [
        Link("token_embedding.weight", ("model.embed_tokens.weight",), (vocab, width)),
        Link("final_norm.weight", ("model.norm.weight",), (width,)),
    ]
    if not spec.tie_embeddings:
        links.append(Link("head.weight", ("lm_head.weight",), (vocab, width)))
    for index, layer in enumerate(spec.layers):
        ours, theirs = f"blocks.{index}.", f"model.layers.{index}."
        shared = layer.num_kv_heads * (width // layer.num_heads)
        rows = (width, shared, shared)
        parts = [f"{theirs}self_attn.{part}_proj" for part in "qkv"]
        gated = [f"{theirs}mlp.{part}_proj" for part in ("gate", "up")]
        bias, mlp_bias = _attention_bias(spec), spec.linear_bias.feed_forward
        links += [
            Link(f"{ours}attention_norm.weight", (f"{theirs}input_layernorm.weight",), (width,)),
            Link(f"{ours}feed_forward_norm.weight", (f"{theirs}post_attention_layernorm.weight",), (width,)),
            *_pair(f"{ours}attention.query_key_value", parts, (sum(rows), width), rows, bias=bias),
            *_pair(f"{ours}attention.output", [f"{theirs}self_attn.o_proj"], (width, width), bias=bias),
            *_pair(f"{ours}feed_forward.expand", gated, (2 * layer.d_ff, width), (layer.d_ff,) * 2, bias=mlp_bias),
            *_pair(f"{ours}feed_forward.output", [f"{theirs}mlp.down_proj"], (width, layer.d_ff), bias=mlp_bias),
        ]
    return links


def _base(fields: Fields) -> float:
    """The base of the rotary positions, from the key of any version of transformers. Scaled positions are refused."""
    base = older = fields.optional("rope_theta")
    for name in ("rope_scaling", "rope_parameters"):
        match value := fields.optional(name):
            case None:
                continue
            case {"rope_type": "default", **others} if set(others) <= {"rope_theta"}:
                base = others.get("rope_theta", base)
            case _:
                raise fields.wrong(name, value, '{"rope_type": "default", "rope_theta": base}')
    if older not in (None, base):
        raise fields.wrong("rope_theta", older, f"{shown(base)}, as rope_parameters says")
    return DEFAULT_BASE if base is None else fields.finite("rope_theta", base)


def _attention_bias(spec: ModelSpec) -> bool:
    """Whether to write biases: Llama has them on all four maps or on none; missing ones are zeros."""
    return spec.linear_bias.query_key_value or spec.linear_bias.output


def _pair(
    ours: str, theirs: list[str], shape: tuple[int, ...], rows: tuple[int, ...] = (), *, bias: bool
) -> list[Link]:
    weight = Link(f"{ours}.weight", tuple(f"{name}.weight" for name in theirs), shape, rows)
    return [
        weight,
        *([Link(f"{ours}.bias", tuple(f"{name}.bias" for name in theirs), shape[:1], rows)] if bias else []),
    ]


LLAMA = Form(
    name="llama",
    model_type="llama",
    architecture="LlamaForCausalLM",
    read=read,
    misfits=misfits,
    write=write,
    links=links,
    prefix="model.",
    ignored=(".self_attn.rotary_emb.inv_freq",),
)

"""Stacks with learned positions and separate maps to queries, keys and values, as transformers writes them.

GPT-Neo (GPTNeoForCausalLM, Black et al. 2021): these maps have no biases, scores are not scaled, some layers have a
window. OPT (OPTForCausalLM, Zhang et al. 2022, arXiv 2205.01068): all maps have biases; its table of positions begins
with two rows for padding.
"""

from collections.abc import Sequence
from typing import Any

from stacklab.base.errors import PortError
from stacklab.model.port.fields import Fields, as_spec
from stacklab.model.port.form import Config, Form, common_misfits, expected
from stacklab.model.port.gpt2 import THEIR_ACTIVATIONS, gpt_links, plain_misfits, their_activation
from stacklab.model.port.links import Link
from stacklab.model.port.windows import window_misfits
from stacklab.model.spec import MOST_LAYERS, ModelSpec

UNUSED_WINDOW = 256
OPT_EPSILON = 1e-5
"""Of OPT's norms, which is no setting there."""
PADDING_ROWS = 2
OPT_NAMES = {
    "transformer.wte.": "model.decoder.embed_tokens.",
    "transformer.wpe.": "model.decoder.embed_positions.",
    "transformer.ln_f.": "model.decoder.final_layer_norm.",
    "transformer.h.": "model.decoder.layers.",
    ".ln_1.": ".self_attn_layer_norm.",
    ".ln_2.": ".final_layer_norm.",
    ".attn.c_attn.": ".self_attn.c_attn.",
    ".attn.c_proj.": ".self_attn.out_proj.",
    ".mlp.c_fc.": ".fc1.",
    ".mlp.c_proj.": ".fc2.",
}
"""GPT-2's names -> OPT's."""


def read(config: Config) -> ModelSpec:
    fields = Fields(config, "GPT-Neo")
    width = fields.size("hidden_size", 2048)
    layers = fields.depth("num_layers", 24)
    fields.null_is_absent("attention_types")
    kinds = _kinds(fields.value("attention_types", [[["global", "local"], 12]]), fields)
    fields.must("attention_layers", None, kinds)
    if len(kinds) != layers:
        raise PortError(f"config: attention_types names {len(kinds)} layers, num_layers is {layers}")
    window = fields.size("window_size", UNUSED_WINDOW)
    d_ff = None if config.get("intermediate_size") is None else fields.size("intermediate_size")
    stack = {
        "vocab_size": fields.size("vocab_size", 50257),
        "d_model": width,
        "num_layers": layers,
        "num_heads": fields.size("num_heads", 16),
        "d_ff": 4 * width if d_ff is None else d_ff,
        "window": [window if kind == "local" else None for kind in kinds] if "local" in kinds else None,
        "context_length": fields.size("max_position_embeddings", 2048),
        "activation": fields.choice("activation_function", THEIR_ACTIVATIONS, "gelu_new"),
        "attention_scale": "none",
        "linear_bias": {"output": True, "feed_forward": True},
        "tie_embeddings": fields.flag("tie_word_embeddings", True),
        "dropout": fields.number("resid_dropout", 0.0),
        "attention_dropout": fields.number("attention_dropout", 0.0),
        "norm": {"epsilon": fields.number("layer_norm_epsilon", 1e-5)},
    }
    fields.finish(("intermediate_size", "embed_dropout", *(key for key in config if key.startswith("summary_"))))
    return as_spec(stack)


def read_opt(config: Config) -> ModelSpec:
    fields = Fields(config, "OPT")
    width = fields.size("hidden_size", 768)
    fields.must("word_embed_proj_dim", None, width)
    fields.must("do_layer_norm_before", True)
    for name, value in (("_remove_final_layer_norm", False), ("layer_norm_elementwise_affine", True)):
        fields.must(name, value)
    stack = {
        "vocab_size": fields.size("vocab_size", 50272),
        "d_model": width,
        "num_layers": fields.depth("num_hidden_layers", 12),
        "num_heads": fields.size("num_attention_heads", 12),
        "d_ff": fields.size("ffn_dim", 3072),
        "context_length": fields.size("max_position_embeddings", 2048),
        "activation": fields.choice("activation_function", THEIR_ACTIVATIONS, "relu"),
        "linear_bias": fields.flag("enable_bias", True),
        "tie_embeddings": fields.flag("tie_word_embeddings", True),
        "dropout": fields.number("dropout", 0.1),
        "attention_dropout": fields.number("attention_dropout", 0.0),
        "norm": {"epsilon": OPT_EPSILON},
    }
    # The first two act in training alone; activation_dropout is read by no version.
    fields.finish(("layerdrop", "init_std", "activation_dropout"))
    return as_spec(stack)


def misfits(spec: ModelSpec) -> list[str]:
    windows = {layer.window for layer in spec.layers} - {None}
    return [
        *common_misfits(spec),
        *expected("attention_scale", spec.attention_scale, "none"),
        *([f"window has several values ({', '.join(map(str, windows))})"] if len(windows) > 1 else []),
        *plain_misfits(spec),
        *expected("linear_bias.query_key_value", spec.linear_bias.query_key_value, False),
    ]


def misfits_opt(spec: ModelSpec) -> list[str]:
    return [
        *common_misfits(spec),
        *plain_misfits(spec),
        *window_misfits(spec),
        *expected("attention_scale", spec.attention_scale, "inverse_sqrt"),
        *expected("norm.epsilon", spec.norm.epsilon, OPT_EPSILON),
    ]


def write(spec: ModelSpec) -> dict[str, Any]:
    windows = [layer.window for layer in spec.layers]
    kinds = ["global" if window is None else "local" for window in windows]
    return {
        "vocab_size": spec.vocab_size,
        "max_position_embeddings": spec.context_length,
        "hidden_size": spec.d_model,
        "num_layers": spec.num_layers,
        "num_heads": spec.layers[0].num_heads,
        "intermediate_size": spec.layers[0].d_ff,
        "attention_types": [[kinds, 1]],
        "window_size": next((window for window in windows if window is not None), UNUSED_WINDOW),
        "activation_function": their_activation(spec.activation),
        "resid_dropout": spec.dropout,
        "embed_dropout": spec.dropout,
        "attention_dropout": spec.attention_dropout,
        "layer_norm_epsilon": spec.norm.epsilon,
        "tie_word_embeddings": spec.tie_embeddings,
    }


def write_opt(spec: ModelSpec) -> dict[str, Any]:
    return {
        "vocab_size": spec.vocab_size,
        "max_position_embeddings": spec.context_length,
        "hidden_size": spec.d_model,
        "word_embed_proj_dim": spec.d_model,
        "num_hidden_layers": spec.num_layers,
        "num_attention_heads": spec.layers[0].num_heads,
        "ffn_dim": spec.layers[0].d_ff,
        "activation_function": their_activation(spec.activation),
        "dropout": spec.dropout,
        "attention_dropout": spec.attention_dropout,
        "enable_bias": _has_biases(spec),
        "tie_word_embeddings": spec.tie_embeddings,
    }


def links_opt(spec: ModelSpec) -> list[Link]:
    links = []
    for link in gpt_links(spec, turned=False):
        if link.ours.endswith(".bias") and "norm" not in link.ours and not _has_biases(spec):
            continue
        (theirs,) = link.theirs
        for old, new in OPT_NAMES.items():
            theirs = theirs.replace(old, new)
        if "c_attn" in theirs:
            names = tuple(theirs.replace("c_attn", f"{part}_proj") for part in "qkv")
            links.append(Link(link.ours, names, link.shape, rows=(spec.d_model,) * 3))
        else:
            padding = PADDING_ROWS if link.ours == "position_embedding.weight" else 0
            links.append(Link(link.ours, (theirs,), link.shape, unused=padding))
    return links


def _has_biases(spec: ModelSpec) -> bool:
    """Whether to write biases: OPT has them on all maps or on none."""
    return any(spec.linear_bias.dump().values())


def links(spec: ModelSpec) -> list[Link]:
    links = []
    for link in gpt_links(spec, turned=False):
        (theirs,) = link.theirs
        if theirs.endswith("attn.c_attn.bias"):
            continue
        stem = theirs.replace(".attn.c_proj.", ".attn.attention.out_proj.")
        if theirs.endswith("attn.c_attn.weight"):
            names = tuple(theirs.replace("c_attn", f"attention.{part}_proj") for part in "qkv")
            links.append(Link(link.ours, names, link.shape, rows=(spec.d_model,) * 3))
        else:
            links.append(Link(link.ours, (stem,), link.shape))
    return links


def _kinds(types: object, fields: Fields) -> list[str]:
    """[[["global", "local"], 2]] -> global, local, global, local."""
    wrong = fields.wrong("attention_types", types, '[[["global", "local"], number of times], ...]')
    if not isinstance(types, Sequence) or isinstance(types, str):
        raise wrong
    kinds: list[str] = []
    for item in types:
        match item:
            case [[*names], int(times)] if (
                all(name in ("global", "local") for name in names) and len(kinds) + len(names) * times <= MOST_LAYERS
            ):
                kinds += names * times
            case _:
                raise wrong
    return kinds


GPT_NEO = Form(
    name="gpt-neo",
    model_type="gpt_neo",
    architecture="GPTNeoForCausalLM",
    read=read,
    misfits=misfits,
    write=write,
    links=links,
    prefix="transformer.",
    ignored=(".attn.attention.bias", ".attn.attention.masked_bias"),
)
OPT = Form(
    name="opt",
    model_type="opt",
    architecture="OPTForCausalLM",
    read=read_opt,
    misfits=misfits_opt,
    write=write_opt,
    links=links_opt,
    prefix="model.",
)

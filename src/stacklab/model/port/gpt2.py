"""GPT-2 as transformers writes it (GPT2LMHeadModel): fused queries, keys and values, matrices as inputs by outputs.

Radford et al. 2019. Every linear map and norm has a bias; those that a stack lacks are written as zeros.
"""

from typing import Any

from stacklab.model.port.fields import Fields, as_spec
from stacklab.model.port.form import Config, Form, common_misfits, expected, one_of
from stacklab.model.port.links import Link
from stacklab.model.spec import ModelSpec

THEIR_ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python": "gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
"""Names in transformers -> ours; of two names for the same function, the first is written."""

HARMLESS = (
    # Unused, for other heads than the language model's, or for training alone.
    *("n_ctx", "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels"),
    *("summary_first_dropout", "reorder_and_upcast_attn", "embd_pdrop"),
)


def their_activation(ours: str) -> str:
    """Their name for one of our activations."""
    return next(theirs for theirs, known in THEIR_ACTIVATIONS.items() if known == ours)


def read(config: Config) -> ModelSpec:
    fields = Fields(config, "GPT-2")
    fields.must("scale_attn_by_inverse_layer_idx", False)
    width = fields.size("n_embd", 768)
    d_ff = None if config.get("n_inner") is None else fields.size("n_inner")
    stack = {
        "vocab_size": fields.size("vocab_size", 50257),
        "d_model": width,
        "num_layers": fields.depth("n_layer", 12),
        "num_heads": fields.size("n_head", 12),
        "d_ff": 4 * width if d_ff is None else d_ff,
        "context_length": fields.size("n_positions", 1024),
        "activation": fields.choice("activation_function", THEIR_ACTIVATIONS, "gelu_new"),
        "attention_scale": "inverse_sqrt" if fields.flag("scale_attn_weights", True) else "none",
        "linear_bias": True,
        "tie_embeddings": fields.flag("tie_word_embeddings", True),
        "dropout": fields.number("resid_pdrop", 0.1),
        "attention_dropout": fields.number("attn_pdrop", 0.1),
        "norm": {"epsilon": fields.number("layer_norm_epsilon", 1e-5)},
    }
    fields.finish((*HARMLESS, "n_inner"))
    return as_spec(stack)


def misfits(spec: ModelSpec) -> list[str]:
    scales = one_of("attention_scale", spec.attention_scale, ("inverse_sqrt", "none"))
    return [*common_misfits(spec), *plain_misfits(spec), *window_misfits(spec), *scales]


def plain_misfits(spec: ModelSpec) -> list[str]:
    """The misfits that GPT-2 and GPT-Neo share."""
    layers = spec.layers
    return [
        *expected("position", spec.position.kind, "learned"),
        *expected("norm.kind", spec.norm.kind, "layer"),
        *expected("feed_forward", spec.feed_forward, "plain"),
        *one_of("activation", spec.activation, sorted(set(THEIR_ACTIVATIONS.values()))),
        *expected("num_kv_heads", [each.num_kv_heads for each in layers], [each.num_heads for each in layers]),
    ]


def window_misfits(spec: ModelSpec) -> list[str]:
    """The misfits of a form without windows."""
    windows = sorted({layer.window for layer in spec.layers if layer.window is not None})
    return [f"window is {', '.join(map(str, windows))}, not none"] if windows else []


def write(spec: ModelSpec) -> dict[str, Any]:
    return {
        "vocab_size": spec.vocab_size,
        "n_positions": spec.context_length,
        "n_embd": spec.d_model,
        "n_layer": spec.num_layers,
        "n_head": spec.layers[0].num_heads,
        "n_inner": spec.layers[0].d_ff,
        "activation_function": their_activation(spec.activation),
        "resid_pdrop": spec.dropout,
        "embd_pdrop": spec.dropout,
        "attn_pdrop": spec.attention_dropout,
        "layer_norm_epsilon": spec.norm.epsilon,
        "scale_attn_weights": spec.attention_scale == "inverse_sqrt",
        "tie_word_embeddings": spec.tie_embeddings,
    }


def gpt_links(spec: ModelSpec, *, turned: bool, biases: bool = True) -> list[Link]:
    """The tensors of GPT-2 and of programs that share its names. biases: whether maps and norms have biases."""
    width, vocab = spec.d_model, spec.vocab_size or 0
    links = [
        Link("token_embedding.weight", ("transformer.wte.weight",), (vocab, width)),
        Link("position_embedding.weight", ("transformer.wpe.weight",), (spec.context_length, width)),
        Link("final_norm.weight", ("transformer.ln_f.weight",), (width,)),
    ]
    if biases:
        links.append(Link("final_norm.bias", ("transformer.ln_f.bias",), (width,)))
    if not spec.tie_embeddings:
        links.append(Link("head.weight", ("lm_head.weight",), (vocab, width)))
    for index, layer in enumerate(spec.layers):
        ours, theirs = f"blocks.{index}.", f"transformer.h.{index}."
        for mine, other in (("attention_norm", "ln_1"), ("feed_forward_norm", "ln_2")):
            links += _pair(ours + mine, theirs + other, (width,), turned=False, biases=biases)
        for mine, other, shape in (
            ("attention.query_key_value", "attn.c_attn", (3 * width, width)),
            ("attention.output", "attn.c_proj", (width, width)),
            ("feed_forward.expand", "mlp.c_fc", (layer.d_ff, width)),
            ("feed_forward.output", "mlp.c_proj", (width, layer.d_ff)),
        ):
            links += _pair(ours + mine, theirs + other, shape, turned=turned, biases=biases)
    return links


def _pair(ours: str, theirs: str, shape: tuple[int, ...], *, turned: bool, biases: bool) -> list[Link]:
    weight = Link(f"{ours}.weight", (f"{theirs}.weight",), shape, turned=turned)
    return [weight, *([Link(f"{ours}.bias", (f"{theirs}.bias",), shape[:1])] if biases else [])]


GPT2 = Form(
    name="gpt2",
    model_type="gpt2",
    architecture="GPT2LMHeadModel",
    read=read,
    misfits=misfits,
    write=write,
    links=lambda spec: gpt_links(spec, turned=True),
    prefix="transformer.",
    ignored=(".attn.bias", ".attn.masked_bias"),
)

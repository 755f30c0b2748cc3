"""GPT-2 as transformers writes it (GPT2LMHeadModel), and two programs that share its names: GPT (OpenAIGPTLMHeadModel)
and GPT-BigCode (GPTBigCodeForCausalLM).

Radford et al. 2019: fused queries, keys and values, matrices as inputs by outputs. GPT (Radford et al. 2018) has its
norms after the sub-layers. GPT-BigCode (Ben Allal et al. 2023, arXiv 2301.03988) has one head of keys and values, and
matrices as outputs by inputs. Every linear map and norm has a bias; those that a stack lacks are written as zeros.
"""

from dataclasses import replace
from typing import Any

from stacklab.model.port.fields import Fields, as_spec
from stacklab.model.port.form import Config, Form, common_misfits, expected, one_of
from stacklab.model.port.links import Link
from stacklab.model.port.windows import window_misfits
from stacklab.model.residual import PlacementName
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

OF_HALF_PRECISION = ("attention_softmax_in_fp32", "scale_attention_softmax_in_fp32")
"""Keys that say how programs keep the precision of models in half precision."""
HARMLESS = (
    # The number of positions once more.
    "n_ctx",
    # A head for another task.
    *("summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout"),
    # Training alone.
    "embd_pdrop",
    # Half precision alone.
    "reorder_and_upcast_attn",
    *OF_HALF_PRECISION,
)


GPT_ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}
"""GPT's names, which differ: its gelu is the tanh approximation."""


def their_activation(ours: str) -> str:
    """Their name for one of our activations."""
    return next(theirs for theirs, known in THEIR_ACTIVATIONS.items() if known == ours)


def read(config: Config) -> ModelSpec:
    fields = Fields(config, "GPT-2")
    fields.must("scale_attn_by_inverse_layer_idx", False)
    return _read(fields, activation=fields.choice("activation_function", THEIR_ACTIVATIONS, "gelu_new"))


def read_gpt(config: Config) -> ModelSpec:
    fields = Fields(config, "GPT")
    fields.must("scale_attn_weights", True)
    fields.must("n_inner", None)
    activation = fields.choice("afn", GPT_ACTIVATIONS, "gelu")
    return _read(fields, activation=activation, sizes=(40478, 512), placement="post")


def read_bigcode(config: Config) -> ModelSpec:
    fields = Fields(config, "GPT-BigCode")
    fields.must("multi_query", True)
    fields.must("num_key_value_heads", 1)
    activation = fields.choice("activation_function", THEIR_ACTIVATIONS, "gelu_pytorch_tanh")
    return _read(fields, activation=activation, num_kv_heads=1)


def _read(
    fields: Fields, *, sizes: tuple[int, int] = (50257, 1024), placement: PlacementName = "pre", **others: Any
) -> ModelSpec:
    """The keys that the three share. sizes: the defaults of vocabulary and context. others: fields of the stack."""
    # Tokens beyond vocab_size, in the oldest configs.
    fields.must("n_special", 0)
    width = fields.size("n_embd", 768)
    stack = {
        "vocab_size": fields.size("vocab_size", sizes[0]),
        "context_length": fields.size("n_positions", sizes[1]),
        "d_model": width,
        "num_layers": fields.depth("n_layer", 12),
        "num_heads": fields.size("n_head", 12),
        "d_ff": fields.size_or_none("n_inner", None) or 4 * width,
        "attention_scale": "inverse_sqrt" if fields.flag("scale_attn_weights", True) else "none",
        "linear_bias": True,
        "tie_embeddings": fields.flag("tie_word_embeddings", True),
        "dropout": fields.number("resid_pdrop", 0.1),
        "attention_dropout": fields.number("attn_pdrop", 0.1),
        "norm": {"placement": placement, "epsilon": fields.number("layer_norm_epsilon", 1e-5)},
        **others,
    }
    fields.finish(HARMLESS)
    return as_spec(stack)


def misfits(spec: ModelSpec) -> list[str]:
    return [*common_misfits(spec), *plain_misfits(spec), *window_misfits(spec), *_scale_misfits(spec)]


def misfits_bigcode(spec: ModelSpec) -> list[str]:
    shared = plain_misfits(spec, kv_heads=1)
    return [*common_misfits(spec), *shared, *window_misfits(spec), *_scale_misfits(spec)]


def misfits_gpt(spec: ModelSpec) -> list[str]:
    return [
        *common_misfits(spec, placement="post"),
        *plain_misfits(spec),
        *window_misfits(spec),
        *expected("attention_scale", spec.attention_scale, "inverse_sqrt"),
        *one_of("activation", spec.activation, sorted(set(GPT_ACTIVATIONS.values()))),
        *(fault for layer in spec.layers[:1] for fault in expected("d_ff", layer.d_ff, 4 * spec.d_model)),
    ]


def plain_misfits(spec: ModelSpec, *, kv_heads: int | None = None) -> list[str]:
    """The misfits that stacks with learned positions share. kv_heads: None means that no heads share keys."""
    layers = spec.layers
    wanted = [each.num_heads if kv_heads is None else kv_heads for each in layers]
    return [
        *expected("position", spec.position.kind, "learned"),
        *expected("norm.kind", spec.norm.kind, "layer"),
        *expected("feed_forward", spec.feed_forward, "plain"),
        *one_of("activation", spec.activation, sorted(set(THEIR_ACTIVATIONS.values()))),
        *expected("num_kv_heads", [each.num_kv_heads for each in layers], wanted),
    ]


def _scale_misfits(spec: ModelSpec) -> list[str]:
    return one_of("attention_scale", spec.attention_scale, ("inverse_sqrt", "none"))


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


def write_gpt(spec: ModelSpec) -> dict[str, Any]:
    afn = next(theirs for theirs, ours in GPT_ACTIVATIONS.items() if ours == spec.activation)
    others = ("n_inner", "scale_attn_weights", "activation_function")
    return {name: value for name, value in write(spec).items() if name not in others} | {"afn": afn}


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
        shared = layer.num_kv_heads * (width // layer.num_heads)
        for mine, other in (("attention_norm", "ln_1"), ("feed_forward_norm", "ln_2")):
            links += _pair(ours + mine, theirs + other, (width,), turned=False, biases=biases)
        for mine, other, shape in (
            ("attention.query_key_value", "attn.c_attn", (width + 2 * shared, width)),
            ("attention.output", "attn.c_proj", (width, width)),
            ("feed_forward.expand", "mlp.c_fc", (layer.d_ff, width)),
            ("feed_forward.output", "mlp.c_proj", (width, layer.d_ff)),
        ):
            links += _pair(ours + mine, theirs + other, shape, turned=turned, biases=biases)
    return links


def openai_links(spec: ModelSpec) -> list[Link]:
    """GPT's tensors: GPT-2's without the last norm, its tables under other names."""
    named = {"transformer.wte.weight": "tokens_embed", "transformer.wpe.weight": "positions_embed"}
    links = [link for link in gpt_links(spec, turned=True) if not link.ours.startswith("final_norm")]
    return [
        replace(link, theirs=(f"transformer.{named[link.theirs[0]]}.weight",)) if link.theirs[0] in named else link
        for link in links
    ]


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
GPT = Form(
    name="openai-gpt",
    model_type="openai-gpt",
    architecture="OpenAIGPTLMHeadModel",
    read=read_gpt,
    misfits=misfits_gpt,
    write=write_gpt,
    links=openai_links,
    prefix="transformer.",
    ignored=(".attn.bias",),
)
BIGCODE = Form(
    name="gpt-bigcode",
    model_type="gpt_bigcode",
    architecture="GPTBigCodeForCausalLM",
    read=read_bigcode,
    misfits=misfits_bigcode,
    write=lambda spec: write(spec) | {"multi_query": True},
    links=lambda spec: gpt_links(spec, turned=False),
    prefix="transformer.",
    ignored=(".attn.bias", ".attn.masked_bias"),
)

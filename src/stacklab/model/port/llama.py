"""Llama and its relatives as transformers writes them: rotary positions, shared keys and values.

Llama (Touvron et al. 2023, arXiv 2302.13971, 2307.09288), Qwen2 and Qwen2.5 (Yang et al. 2024, arXiv 2407.10671),
Mistral (Jiang et al. 2023, arXiv 2310.06825), Phi-3 (Abdin et al. 2024, arXiv 2404.14219), StarCoder2 (Lozhkov et al.
2024, arXiv 2402.19173) and StableLM (Bellagente et al. 2024, arXiv 2402.17834) differ in what a Dialect states. Their
rotary positions pair number i of a head with i + K / 2, like ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from stacklab.model.port.fields import Fields, as_spec
from stacklab.model.port.form import Config, Form, common_misfits, expected, one_of
from stacklab.model.port.gpt2 import OF_HALF_PRECISION, THEIR_ACTIVATIONS, their_activation
from stacklab.model.port.links import Link
from stacklab.model.port.windows import Windows, read_windows, window_misfits, write_windows
from stacklab.model.settings.shorthands import BiasSpec
from stacklab.model.spec import ModelSpec

SIZES = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "intermediate_size", "max_position_embeddings"),
)
"""Keys of the sizes, in the order in which a dialect states their defaults."""
MAPS = tuple(BiasSpec.model_fields)


@dataclass(frozen=True)
class Dialect:
    """How one program differs from Llama. All values are those of its class in transformers.

    title: its name in messages. sizes: the defaults of SIZES; None means as many heads of keys as of queries.
    norm, epsilon: kind of norm; key and default of its epsilon. gated: kind of the feed-forward.
    biases: key -> (its default, the maps to which it gives a bias). always: maps that always have one.
    windows: which windows it has. window: the default where the key is absent.
    dropout: keys of its dropouts, the one of the sub-layers first. rotated: default share of a head that turns.
    query_key_value, expand, down: names of maps in a layer; several are stacked. only: keys, each with the values that
    change nothing. unused: keys that it does not compute with.
    """

    title: str
    sizes: tuple[int | None, ...]
    norm: Literal["rms", "layer"] = "rms"
    epsilon: tuple[str, float] = ("rms_norm_eps", 1e-6)
    gated: bool = True
    activation: str = "silu"
    tied: bool = False
    biases: Mapping[str, tuple[bool, tuple[str, ...]]] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    windows: Windows = "none"
    window: int | None = None
    dropout: tuple[str, ...] = ()
    rotated: float = 1.0
    query_key_value: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")
    expand: tuple[str, ...] = ("gate_proj", "up_proj")
    down: str = "down_proj"
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


def read(dialect: Dialect, config: Config) -> ModelSpec:
    """The stack of a config. Raises PortError for an unknown key or an unsupported value."""
    fields = Fields(config, dialect.title)
    for key, values in dialect.only.items():
        fields.must(key, *values)
    default = dict(zip(SIZES, dialect.sizes, strict=True))
    width, heads = (fields.size(name, default[name]) for name in ("hidden_size", "num_attention_heads"))
    layers = fields.depth("num_hidden_layers", default["num_hidden_layers"])
    context = fields.size("max_position_embeddings", default["max_position_embeddings"])
    fields.must("head_dim", None, width // heads)
    epsilon, usual = dialect.epsilon
    stack = {
        "vocab_size": fields.size("vocab_size", default["vocab_size"]),
        "d_model": width,
        "num_layers": layers,
        "num_heads": heads,
        "num_kv_heads": fields.size_or_none("num_key_value_heads", default["num_key_value_heads"]) or heads,
        "d_ff": fields.size("intermediate_size", default["intermediate_size"]),
        "feed_forward": "gated" if dialect.gated else "plain",
        "window": read_windows(fields, dialect.windows, dialect.window, layers=layers, context=context),
        "context_length": context,
        "position": {"kind": "rotary", "base": fields.rotary_base(dialect.rotated)},
        "activation": fields.choice("hidden_act", THEIR_ACTIVATIONS, dialect.activation),
        "linear_bias": _biases(fields, dialect),
        "tie_embeddings": fields.flag("tie_word_embeddings", dialect.tied),
        "dropout": fields.number(dialect.dropout[0], 0.0) if dialect.dropout else 0.0,
        "attention_dropout": fields.number("attention_dropout", 0.0),
        "norm": {"kind": dialect.norm, "epsilon": fields.number(epsilon, usual)},
    }
    fields.finish((*dialect.unused, *dialect.dropout))
    return as_spec(stack)


def misfits(dialect: Dialect, spec: ModelSpec) -> list[str]:
    known = {*dialect.always, *(name for _, maps in dialect.biases.values() for name in maps)}
    return [
        *common_misfits(spec),
        *window_misfits(spec, dialect.windows),
        *expected("position", spec.position.kind, "rotary"),
        *expected("norm.kind", spec.norm.kind, dialect.norm),
        *expected("feed_forward", spec.feed_forward, "gated" if dialect.gated else "plain"),
        *one_of("activation", spec.activation, sorted(set(THEIR_ACTIVATIONS.values()))),
        *expected("attention_scale", spec.attention_scale, "inverse_sqrt"),
        *(f"linear_bias.{name} is True, not False" for name in MAPS if name not in known and _has(spec, name)),
        *(f"linear_bias.{name} is False, not True" for name in dialect.always if not _has(spec, name)),
    ]


def write(dialect: Dialect, spec: ModelSpec) -> dict[str, Any]:
    assert spec.position.kind == "rotary"
    layer, base = spec.layers[0], spec.position.base
    share = {} if dialect.rotated == 1 else {"partial_rotary_factor": 1.0}
    return {
        "vocab_size": spec.vocab_size,
        "max_position_embeddings": spec.context_length,
        "hidden_size": spec.d_model,
        "num_hidden_layers": spec.num_layers,
        "num_attention_heads": layer.num_heads,
        "num_key_value_heads": layer.num_kv_heads,
        "intermediate_size": layer.d_ff,
        "hidden_act": their_activation(spec.activation),
        dialect.epsilon[0]: spec.norm.epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": base, **share},
        # Older versions of transformers, and llama.cpp's converter, read them here.
        "rope_theta": base,
        **share,
        **{key: any(_has(spec, name) for name in maps) for key, (_, maps) in dialect.biases.items()},
        **write_windows(spec, dialect.windows),
        **dict.fromkeys(dialect.dropout, spec.dropout),
        "attention_dropout": spec.attention_dropout,
        "tie_word_embeddings": spec.tie_embeddings,
    }


def links(dialect: Dialect, spec: ModelSpec) -> list[Link]:
    """The tensors, among them the biases that the program has and the stack lacks, which are written as zeros."""
    width, vocab = spec.d_model, spec.vocab_size or 0
    biased = {*dialect.always}
    for _, maps in dialect.biases.values():
        biased |= {*maps} if any(_has(spec, name) for name in maps) else set()
    norm_bias = dialect.norm == "layer"
    links = [
        Link("token_embedding.weight", ("model.embed_tokens.weight",), (vocab, width)),
        *_pair("final_norm", ["model.norm"], (width,), bias=norm_bias),
    ]
    if not spec.tie_embeddings:
        links.append(Link("head.weight", ("lm_head.weight",), (vocab, width)))
    for index, layer in enumerate(spec.layers):
        ours, theirs = f"blocks.{index}.", f"model.layers.{index}."
        attention, feed_forward = f"{theirs}self_attn.", f"{theirs}mlp."
        qkv = [attention + name for name in dialect.query_key_value]
        expand = [feed_forward + name for name in dialect.expand]
        shared = layer.num_kv_heads * (width // layer.num_heads)
        wide = (layer.d_ff,) * (2 if dialect.gated else 1)
        has, mlp = "output" in biased, "feed_forward" in biased
        links += [
            *_pair(f"{ours}attention_norm", [f"{theirs}input_layernorm"], (width,), bias=norm_bias),
            *_pair(f"{ours}feed_forward_norm", [f"{theirs}post_attention_layernorm"], (width,), bias=norm_bias),
            *_pair(
                f"{ours}attention.query_key_value",
                qkv,
                (width, shared, shared),
                width,
                bias="query_key_value" in biased,
            ),
            *_pair(f"{ours}attention.output", [f"{attention}o_proj"], (width,), width, bias=has),
            *_pair(f"{ours}feed_forward.expand", expand, wide, width, bias=mlp),
            *_pair(f"{ours}feed_forward.output", [feed_forward + dialect.down], (width,), layer.d_ff, bias=mlp),
        ]
    return links


def _pair(ours: str, theirs: list[str], rows: tuple[int, ...], *columns: int, bias: bool) -> list[Link]:
    """Weight and bias of a map or a norm. rows: of each part, which may be in one tensor of theirs."""
    total, parts = sum(rows), rows if len(theirs) > 1 else ()
    weight = Link(f"{ours}.weight", tuple(f"{name}.weight" for name in theirs), (total, *columns), parts)
    return [
        weight,
        *([Link(f"{ours}.bias", tuple(f"{name}.bias" for name in theirs), (total,), parts)] if bias else []),
    ]


def _biases(fields: Fields, dialect: Dialect) -> dict[str, bool]:
    has = dict.fromkeys(dialect.always, True)
    for key, (default, maps) in dialect.biases.items():
        has |= dict.fromkeys(maps, fields.flag(key, default))
    return has


def _has(spec: ModelSpec, name: str) -> bool:
    return bool(getattr(spec.linear_bias, name))


def _form(name: str, architecture: str, dialect: Dialect) -> Form:
    """The form of a dialect, whose name is its model_type."""
    return Form(
        name=name,
        model_type=name,
        architecture=architecture,
        read=partial(read, dialect),
        misfits=partial(misfits, dialect),
        write=partial(write, dialect),
        links=partial(links, dialect),
        prefix="model.",
        ignored=(".self_attn.rotary_emb.inv_freq",),
    )


LLAMA = _form(
    "llama",
    "LlamaForCausalLM",
    Dialect(
        title="Llama",
        sizes=(32000, 4096, 32, 32, None, 11008, 2048),
        biases={"attention_bias": (False, ("query_key_value", "output")), "mlp_bias": (False, ("feed_forward",))},
        # The first splits a product into parts that are added.
        only={"pretraining_tp": (None, 1), "rope_interleaved": (False,)},
        unused=("is_llama_config",),
    ),
)
QWEN2 = _form(
    "qwen2",
    "Qwen2ForCausalLM",
    Dialect(
        title="Qwen2",
        sizes=(151936, 4096, 32, 32, 32, 22016, 32768),
        always=("query_key_value",),
        windows="by_layer",
        window=4096,
        only={"use_mrope": (False,)},
    ),
)
MISTRAL = _form(
    "mistral",
    "MistralForCausalLM",
    Dialect(title="Mistral", sizes=(32000, 4096, 32, 32, 8, 14336, 131072), windows="one", window=4096),
)
PHI3 = _form(
    "phi3",
    "Phi3ForCausalLM",
    Dialect(
        title="Phi-3",
        sizes=(32064, 3072, 32, 32, None, 8192, 4096),
        epsilon=("rms_norm_eps", 1e-5),
        windows="one",
        dropout=("resid_pdrop", "embd_pdrop"),
        query_key_value=("qkv_proj",),
        expand=("gate_up_proj",),
        only={"attention_bias": (False,)},
        # Read for scaled positions alone, which are refused.
        unused=("original_max_position_embeddings",),
    ),
)
STARCODER2 = _form(
    "starcoder2",
    "Starcoder2ForCausalLM",
    Dialect(
        title="StarCoder2",
        sizes=(49152, 3072, 30, 24, 2, 12288, 4096),
        norm="layer",
        epsilon=("norm_epsilon", 1e-5),
        gated=False,
        activation="gelu_pytorch_tanh",
        tied=True,
        biases={"use_bias": (True, MAPS)},
        windows="one",
        dropout=("residual_dropout", "embedding_dropout"),
        expand=("c_fc",),
        down="c_proj",
        only={"mlp_type": ("default",), "norm_type": ("layer_norm",), "scale_attn_weights": (True,)},
        # Published configs have them; the class reads hidden_act and norm_epsilon instead.
        unused=("activation_function", "layer_norm_epsilon", *OF_HALF_PRECISION),
    ),
)
STABLELM = _form(
    "stablelm",
    "StableLmForCausalLM",
    Dialect(
        title="StableLM",
        sizes=(50304, 2560, 32, 32, 32, 6912, 4096),
        norm="layer",
        epsilon=("layer_norm_eps", 1e-5),
        biases={"use_qkv_bias": (False, ("query_key_value",))},
        dropout=("hidden_dropout",),
        rotated=0.25,
        only={"qk_layernorm": (False,), "use_parallel_residual": (False,)},
    ),
)

"""llama2.c's model.bin (github.com/karpathy/llama2.c), in its first, legacy version.

The model is Llama's. Its rotary positions pair the numbers 2i and 2i + 1 of a head; ours pair i and i + K / 2, so the
rows of queries and keys are reordered, which changes no score.
"""

import math
import struct

import torch
from torch import Tensor

from stacklab.base.errors import PortError
from stacklab.base.spec import LARGEST
from stacklab.model.port.fields import as_spec
from stacklab.model.port.links import check_finite
from stacklab.model.spec import MOST_LAYERS, ModelSpec

HEADER = struct.Struct("<7i")
MAGIC = 0x616B3432
"""The start of files of later versions; legacy files have none."""
FLOAT_BYTES = 4
EPSILON = 1e-5
"""Epsilon of the norms, fixed in run.c."""
DELIMITER = 1
"""The id before every text, at which run.c also stops."""


def read(raw: bytes) -> tuple[ModelSpec, dict[str, Tensor]]:
    """(stack, our tensors) of a model.bin's bytes. Raises PortError for another kind or size of file, and for numbers
    that are not finite."""
    if len(raw) < HEADER.size:
        raise PortError(f"{len(raw)} bytes, shorter than the header of a llama2.c model")
    header = HEADER.unpack_from(raw)
    if header[0] & 0xFFFFFFFF == MAGIC:
        raise PortError(
            f"a llama2.c model of version {header[1]}; write the first version (export.py --version 0), or a "
            "Hugging Face folder (--version -1)"
        )
    width, d_ff, layers, heads, kv_heads, vocab, context = header
    sizes = (width, d_ff, layers, heads, kv_heads, abs(vocab), context)
    if not all(0 < size <= LARGEST for size in sizes) or layers > MOST_LAYERS:
        raise PortError(f"not a llama2.c model (its header is {header}), nor another known model file")
    spec = as_spec(
        {
            "vocab_size": abs(vocab),
            "d_model": width,
            "num_layers": layers,
            "num_heads": heads,
            "num_kv_heads": kv_heads,
            "d_ff": d_ff,
            "feed_forward": "gated",
            "activation": "silu",
            "context_length": context,
            "position": {"kind": "rotary"},
            "tie_embeddings": vocab > 0,
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "norm": {"kind": "rms", "epsilon": EPSILON},
        }
    )
    parts = _parts(spec, raw)
    for name in sorted(parts.keys() - {"turns"}):
        check_finite(name, parts[name], where="its weights")
    return spec, _named(spec, parts)


def _parts(spec: ModelSpec, raw: bytes) -> dict[str, Tensor]:
    """The file's tensors, in its order. `turns` are tables of cosines and sines, which stacklab computes."""
    width, layers, layer = spec.d_model, spec.num_layers, spec.layers[0]
    head = width // layer.num_heads
    shapes: dict[str, tuple[int, ...]] = {
        "table": (spec.vocab_size or 0, width),
        "attention_norm": (layers, width),
        "q": (layers, width, width),
        "k": (layers, layer.num_kv_heads * head, width),
        "v": (layers, layer.num_kv_heads * head, width),
        "o": (layers, width, width),
        "feed_forward_norm": (layers, width),
        "gate": (layers, layer.d_ff, width),
        "down": (layers, width, layer.d_ff),
        "up": (layers, layer.d_ff, width),
        "final_norm": (width,),
        "turns": (2, spec.context_length, head // 2),
    }
    if not spec.tie_embeddings:
        shapes["head"] = shapes["table"]
    sizes = [math.prod(shape) for shape in shapes.values()]
    if len(raw) != HEADER.size + FLOAT_BYTES * sum(sizes):
        raise PortError(
            f"{len(raw)} bytes; a llama2.c model with this header has {HEADER.size + FLOAT_BYTES * sum(sizes)}"
        )
    numbers = torch.frombuffer(bytearray(raw[HEADER.size :]), dtype=torch.float32)
    cut = torch.split(numbers, sizes)
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), cut, strict=True)}


def _named(spec: ModelSpec, parts: dict[str, Tensor]) -> dict[str, Tensor]:
    named = {"token_embedding.weight": parts["table"], "final_norm.weight": parts["final_norm"]}
    if not spec.tie_embeddings:
        named["head.weight"] = parts["head"]
    for index, layer in enumerate(spec.layers):
        of = {name: parts[name][index] for name in parts if name not in ("table", "final_norm", "turns", "head")}
        query, key = _paired(of["q"], layer.num_heads), _paired(of["k"], layer.num_kv_heads)
        named |= {
            f"blocks.{index}.attention_norm.weight": of["attention_norm"],
            f"blocks.{index}.attention.query_key_value.weight": torch.cat((query, key, of["v"])),
            f"blocks.{index}.attention.output.weight": of["o"],
            f"blocks.{index}.feed_forward_norm.weight": of["feed_forward_norm"],
            f"blocks.{index}.feed_forward.expand.weight": torch.cat((of["gate"], of["up"])),
            f"blocks.{index}.feed_forward.output.weight": of["down"],
        }
    return {name: value.clone() for name, value in named.items()}


def _paired(rows: Tensor, heads: int) -> Tensor:
    """Even rows of each head first, then the odd ones."""
    return rows.reshape(heads, -1, 2, rows.shape[-1]).transpose(1, 2).reshape(rows.shape)

"""minGPT's model (github.com/karpathy/minGPT, mingpt/model.py): nanoGPT's with an untied head and tanh GELU.

It is read from a JSON file of {config, tensor name: {shape, dtype, data}}, as web pages that draw such models keep
them (github.com/bbycroft/llm-viz), with little-endian float32 in base64; and from a folder of minGPT, whose
config.json has the section `model` and whose weights are in model.pt.
"""

import base64
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from stacklab.base.errors import PortError
from stacklab.base.text import cut, shown
from stacklab.model.port.fields import Fields, as_spec
from stacklab.model.port.form import Config
from stacklab.model.port.gpt2 import gpt_links
from stacklab.model.port.links import Link
from stacklab.model.spec import ModelSpec

IGNORED = (".attn.bias",)
FLOAT_BYTES = 4


def read(config: Config) -> ModelSpec:
    """The stack of a config. Raises PortError naming the key that is missing, unknown or wrong."""
    fields = Fields(config, "minGPT")
    fields.number("embd_pdrop", 0.1)
    stack = {
        "vocab_size": fields.size("vocab_size"),
        "d_model": fields.size("n_embd"),
        "num_layers": fields.depth("n_layer"),
        "num_heads": fields.size("n_head"),
        "context_length": fields.size("block_size"),
        "activation": "gelu_tanh",
        "linear_bias": True,
        "tie_embeddings": False,
        "dropout": fields.number("resid_pdrop", 0.1),
        "attention_dropout": fields.number("attn_pdrop", 0.1),
    }
    fields.finish()
    return as_spec(stack)


def links(spec: ModelSpec) -> list[Link]:
    return gpt_links(spec, turned=False)


def tensors(content: Mapping[str, Any], *, where: str) -> dict[str, Tensor]:
    """The tensors of a JSON file. Raises PortError for an entry that is not a tensor."""
    return {name: _tensor(cut(name), value, where) for name, value in content.items() if name != "config"}


def _tensor(name: str, value: object, where: str) -> Tensor:
    match value:
        case {"shape": [*shape], "dtype": "torch.float32", "data": str(data)} if all(
            isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in shape
        ):
            try:
                raw = base64.b64decode(data, validate=True)
            except ValueError as error:
                raise PortError(f"{where}: {name} is not base64 ({error})") from error
            if len(raw) != FLOAT_BYTES * math.prod(shape):
                raise PortError(f"{where}: {name} has {len(raw)} bytes, its shape {shown(shape)} needs 4 a number")
            return torch.frombuffer(bytearray(raw), dtype=torch.float32).reshape(shape)
        case _:
            raise PortError(f'{where}: {name} is not a tensor; expected {{"shape", "dtype": "torch.float32", "data"}}')

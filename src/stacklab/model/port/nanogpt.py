"""nanoGPT's model (github.com/karpathy/nanoGPT, model.py): GPT-2's names, matrices as outputs by inputs, exact GELU.

Its checkpoints describe the model in `model_args`. The form is read, not written, since nanoGPT
reads GPT-2 folders.
"""

from stacklab.model.port.fields import Fields, as_spec
from stacklab.model.port.form import Config
from stacklab.model.port.gpt2 import gpt_links
from stacklab.model.port.links import Link
from stacklab.model.spec import ModelSpec

COMPILED = "_orig_mod."
"""The prefix that torch.compile adds to the names of tensors."""
IGNORED = (".attn.bias",)


def read(config: Config) -> ModelSpec:
    """The stack of `model_args`. Raises PortError naming the key that is missing, unknown or wrong."""
    fields = Fields(config, "nanoGPT")
    bias, dropout = fields.flag("bias"), fields.number("dropout")
    stack = {
        "vocab_size": fields.size("vocab_size"),
        "d_model": fields.size("n_embd"),
        "num_layers": fields.depth("n_layer"),
        "num_heads": fields.size("n_head"),
        "context_length": fields.size("block_size"),
        "activation": "gelu",
        "linear_bias": bias,
        "dropout": dropout,
        "attention_dropout": dropout,
        "norm": {"bias": bias},
    }
    fields.finish()
    return as_spec(stack)


def links(spec: ModelSpec) -> list[Link]:
    return gpt_links(spec, turned=False, biases=spec.norm.bias)

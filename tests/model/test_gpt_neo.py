"""The GPT-Neo form against Hugging Face's implementation, from the same weights."""

import pytest
import torch
import torch.nn.functional as F
from tests.model.peers import assert_gradients_agree, disturb, fill, gradient

from stacklab.model.init import build
from stacklab.model.spec import ModelSpec

SPEC = ModelSpec.model_validate(
    {
        "vocab_size": 31,
        "d_model": 12,
        "num_layers": 2,
        "num_heads": 3,
        "d_ff": 20,
        "context_length": 16,
        "window": [None, 4],
        "activation": "gelu_tanh",
        "attention_scale": "none",
        "linear_bias": {"output": True, "feed_forward": True},
        "init": {"std": 0.4},
    }
)


LAYER = {
    "attention_norm": "ln_1",
    "attention.output": "attn.attention.out_proj",
    "feed_forward_norm": "ln_2",
    "feed_forward.expand": "mlp.c_fc",
    "feed_forward.output": "mlp.c_proj",
}


def named_as_theirs(ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our tensors under the peer's names."""
    named = {"wte.weight": ours.pop("token_embedding.weight"), "wpe.weight": ours.pop("position_embedding.weight")}
    for kind in ("weight", "bias"):
        named[f"ln_f.{kind}"] = ours.pop(f"final_norm.{kind}")
        for layer in range(SPEC.num_layers):
            for mine, theirs in LAYER.items():
                named[f"h.{layer}.{theirs}.{kind}"] = ours.pop(f"blocks.{layer}.{mine}.{kind}")
    for layer in range(SPEC.num_layers):
        parts = ours.pop(f"blocks.{layer}.attention.query_key_value.weight").chunk(3)
        named |= {f"h.{layer}.attn.attention.{name}_proj.weight": part for name, part in zip("qkv", parts, strict=True)}
    assert not ours
    return named


def test_logits_and_gradients_equal_the_peers() -> None:
    transformers = pytest.importorskip("transformers.models.gpt_neo")
    config = transformers.GPTNeoConfig(
        vocab_size=31,
        hidden_size=12,
        num_layers=2,
        num_heads=3,
        intermediate_size=20,
        max_position_embeddings=16,
        attention_types=[[["global", "local"], 1]],
        window_size=4,
        bos_token_id=0,
        eos_token_id=0,
    )
    model, peer = build(SPEC, seed=0), transformers.GPTNeoForCausalLM(config).eval()
    theirs_by_name = named_as_theirs(dict(model.named_parameters()))
    theirs = {name.removeprefix("transformer."): value for name, value in peer.named_parameters()}
    disturb(theirs_by_name.values())
    fill(theirs, theirs_by_name)
    model, peer = model.double(), peer.double()
    ids_BT = torch.arange(32).reshape(2, 16) * 7 % 31
    # The peer's scores stay in float32 within a model of float64, which is what the tolerance is for.
    actual, expected = model.logits(model(ids_BT)), peer(ids_BT).logits
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    targets_N = ids_BT.roll(1, 1).flatten()
    for logits_BTV in (actual, expected):
        F.cross_entropy(logits_BTV.flatten(0, 1), targets_N).backward()
    gradients = named_as_theirs({name: gradient(value) for name, value in model.named_parameters()})
    assert_gradients_agree(gradients, theirs)

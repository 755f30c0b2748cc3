"""Placements of norms, norms of queries and keys, and residual rules against layers that others wrote.

The peers get our random weights: layers of torch, and OLMo 2 and Gemma 3 of transformers.
"""

from typing import Any

import pytest
import torch
from tests.model.peers import assert_gradients_agree, fill, gradient, named_as_llama
from torch import Tensor, nn

from stacklab.model.block import Block
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer

SMALL: dict[str, Any] = {
    "vocab_size": 31,
    "d_model": 24,
    "num_layers": 2,
    "num_heads": 4,
    "d_ff": 20,
    "context_length": 16,
    "init": {"std": 0.4},
}
GATED: dict[str, Any] = SMALL | {
    "num_kv_heads": 2,
    "feed_forward": "gated",
    "position": {"kind": "rotary", "base": 500.0},
    "tie_embeddings": False,
}
IDS_BT = torch.arange(32).reshape(2, 16) * 7 % 31
LAYER = {"self_attn.o_proj": "attention.output", "mlp.down_proj": "feed_forward.output"}
QK = {"self_attn.q_norm": "attention.query_norm", "self_attn.k_norm": "attention.key_norm"}
REORDERED = LAYER | QK
REORDERED |= {"post_attention_layernorm": "attention_norm", "post_feedforward_layernorm": "feed_forward_norm"}
SANDWICH = LAYER | QK
SANDWICH |= {"input_layernorm": "attention_norm", "post_attention_layernorm": "attention_after_norm"}
SANDWICH |= {"pre_feedforward_layernorm": "feed_forward_norm", "post_feedforward_layernorm": "feed_forward_after_norm"}


def filled(change: dict[str, Any]) -> Transformer:
    """A model in float64 whose norms and trained factors are not the values that hide them."""
    model = build(ModelSpec.model_validate(change), seed=0).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += torch.linspace(-0.1, 0.2, parameter.numel() + 1)[1:].view_as(parameter)
            if name.endswith("_factor"):
                parameter += 0.3
    return model


def assert_equal(actual: Tensor, expected: Tensor) -> None:
    """In values, to what norms and angles in float32 allow; it computes the gradients of both."""
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    direction = torch.linspace(-1, 2, actual.numel(), dtype=actual.dtype).view_as(actual)
    actual.backward(direction)
    expected.backward(direction)


def sizes(**others: Any) -> dict[str, Any]:
    """The sizes of GATED, in the words of transformers."""
    return {
        "vocab_size": 31,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 20,
        "max_position_embeddings": 16,
        "rms_norm_eps": 1e-3,
        "tie_word_embeddings": False,
        "pad_token_id": None,
        "bos_token_id": 0,
        "eos_token_id": 0,
    } | others


def test_reordered_norms_and_those_of_whole_projections_are_olmo_2s() -> None:
    olmo2 = pytest.importorskip("transformers.models.olmo2")
    model = filled(
        GATED
        | {"activation": "silu", "norm": {"kind": "rms", "placement": "reordered", "epsilon": 1e-3}}
        | {"qk_norm": "projection"}
    )
    rope = {"rope_type": "default", "rope_theta": 500.0}
    peer = olmo2.Olmo2ForCausalLM(olmo2.Olmo2Config(**sizes(rope_parameters=rope))).double()
    fill(dict(peer.named_parameters()), named_as_llama(dict(model.named_parameters()), REORDERED))
    assert_equal(model.logits(model(IDS_BT)), peer(IDS_BT).logits)
    gradients = {name: gradient(value) for name, value in model.named_parameters()}
    assert_gradients_agree(named_as_llama(gradients, REORDERED), dict(peer.named_parameters()))


@pytest.mark.parametrize("placement", ["sandwich", "peri"])
def test_norms_on_both_sides_and_those_of_heads_are_gemma_3s(placement: str) -> None:
    """Gemma multiplies embeddings by sqrt(d_model) and norms by 1 + w. It does not norm embeddings: for peri it is
    passed normed ones."""
    gemma = pytest.importorskip("transformers.models.gemma3")
    model = filled(
        GATED
        | {"activation": "gelu_tanh", "norm": {"kind": "rms", "placement": placement, "epsilon": 1e-3}}
        | {"qk_norm": "head"}
    )
    full = {"rope_type": "default", "rope_theta": 500.0}
    config = gemma.Gemma3TextConfig(
        **sizes(head_dim=6, query_pre_attn_scalar=6, layer_types=["full_attention"] * 2),
        rope_parameters={"full_attention": full, "sliding_attention": full},
    )
    peer = gemma.Gemma3ForCausalLM(config).double()
    wanted = named_as_llama(dict(model.named_parameters()), SANDWICH)
    wanted = {name: value - 1 if "norm" in name else value for name, value in wanted.items()}
    fill(dict(peer.named_parameters()), wanted)
    with torch.no_grad():
        peer.model.embed_tokens.weight /= 24**0.5
    named = dict(model.named_parameters())
    if placement == "sandwich":
        expected = peer(IDS_BT).logits
    else:
        table = named["token_embedding.weight"].detach().clone().requires_grad_()
        weight = named["embedding_norm.weight"].detach().clone().requires_grad_()
        expected = peer(inputs_embeds=nn.functional.rms_norm(table[IDS_BT], (24,), weight, 1e-3)).logits
    assert_equal(model.logits(model(IDS_BT)), expected)
    gradients = named_as_llama({name: gradient(value) for name, value in named.items()}, SANDWICH)
    ours = gradients.pop("model.embed_tokens.weight")
    theirs = dict(peer.named_parameters())
    rows = theirs.pop("model.embed_tokens.weight")
    assert_gradients_agree(gradients, theirs)
    if placement == "sandwich":
        torch.testing.assert_close(ours, gradient(rows) / 24**0.5, rtol=1e-4, atol=1e-4)
    else:
        torch.testing.assert_close(ours, gradient(table), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(gradient(named["embedding_norm.weight"]), gradient(weight), rtol=1e-4, atol=1e-4)


def encoder_layer(block: Block, spec: ModelSpec, branches: dict[str, Tensor | float], stream: float) -> nn.Module:
    """torch's layer with the weights of a block. branches: factor of each branch; stream: that of the stream.

    A norm after the sum does not see a common factor, but for its epsilon: norm(a x + f) is norm(x + f / a) with
    epsilon / a^2. So residual rules are other weights of the maps that end a branch.
    """
    layer = nn.TransformerEncoderLayer(
        *(spec.d_model, 4, 20, 0.0, "gelu"),
        layer_norm_eps=spec.norm.epsilon / stream**2,
        batch_first=True,
        norm_first=spec.norm.placement == "pre",
    ).double()
    ours = dict(block.named_parameters())
    theirs = {"self_attn.in_proj_": "attention.query_key_value.", "linear1.": "feed_forward.expand."}
    ends = {"self_attn.out_proj.": "attention", "linear2.": "feed_forward"}
    norms = {"norm1.": "attention_norm.", "norm2.": "feed_forward_norm."}
    with torch.no_grad():
        for part in ("weight", "bias"):
            named = {name + part: ours[mine + part] for name, mine in theirs.items()}
            named |= {
                name + part: ours[f"{mine}.output.{part}"] * branches[mine] / stream for name, mine in ends.items()
            }
            if spec.norm.placement != "none":
                named |= {name + part: ours[mine + part] for name, mine in norms.items()}
            for name, value in named.items():
                layer.get_parameter(name).copy_(value)
    if spec.norm.placement == "none":
        layer.norm1, layer.norm2 = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    return layer


@pytest.mark.parametrize(
    ("placement", "residual"),
    [
        ("pre", "plain"),
        ("post", "plain"),
        ("pre", "depth_scaled"),
        ("post", "depth_scaled"),
        ("post", "deepnorm"),
        ("none", "rezero"),
        ("pre", "rezero"),
    ],
)
def test_layers_are_those_of_torch_with_branches_of_other_size(placement: str, residual: str) -> None:
    spec = ModelSpec.model_validate(
        SMALL
        | {"num_layers": 3, "mask": "full", "linear_bias": True, "residual": residual}
        | {"norm": {"placement": placement, "epsilon": 0.1}}
    )
    model = filled(spec.dump())
    x_BTD = torch.randn(2, 9, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    copy_BTD = x_BTD.detach().clone().requires_grad_()
    y_BTD, expected_BTD = x_BTD, copy_BTD
    for block in model.blocks:
        assert isinstance(block, Block)
        named = dict(block.named_parameters())
        branches: dict[str, Tensor | float] = {
            part: {"depth_scaled": 6**-0.5, "rezero": named.get(f"{part}_factor", 1.0)}.get(residual, 1.0)
            for part in ("attention", "feed_forward")
        }
        layer = encoder_layer(block, spec, branches, 6**0.25 if residual == "deepnorm" else 1.0)
        y_BTD, expected_BTD = block(y_BTD, None), layer(expected_BTD)
    assert_equal(y_BTD, expected_BTD)
    torch.testing.assert_close(x_BTD.grad, copy_BTD.grad, rtol=1e-9, atol=1e-9)

"""The Llama form against Hugging Face's implementation, from the same weights; what rotation is for; its cache."""

from typing import Any

import pytest
import torch
from tests.model.peers import assert_gradients_agree, disturb, fill, gradient, named_as_llama

from stacklab.model.cache import Decoding, LayerCache
from stacklab.model.generation.decode import generate
from stacklab.model.init import build
from stacklab.model.positions.build import Rotation
from stacklab.model.positions.kinds import RotaryPositions
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer

FORM: dict[str, Any] = {
    "vocab_size": 31,
    "d_model": 24,
    "num_layers": 2,
    "num_heads": 4,
    "num_kv_heads": 2,
    "d_ff": 20,
    "feed_forward": "gated",
    "activation": "silu",
    "context_length": 16,
    "position": {"kind": "rotary", "base": 500.0},
    "tie_embeddings": False,
    "norm": {"kind": "rms", "epsilon": 1e-3},
    "init": {"std": 0.4},
}
LAYER = {
    "input_layernorm": "attention_norm",
    "self_attn.o_proj": "attention.output",
    "post_attention_layernorm": "feed_forward_norm",
    "mlp.down_proj": "feed_forward.output",
}


@pytest.mark.parametrize("tied", [False, True])
def test_logits_and_gradients_equal_the_peers(tied: bool) -> None:
    llama = pytest.importorskip("transformers.models.llama")
    config = llama.LlamaConfig(
        vocab_size=31,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=20,
        max_position_embeddings=16,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        rms_norm_eps=1e-3,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=0,
    )
    model, peer = (
        build(ModelSpec.model_validate(FORM | {"tie_embeddings": tied}), seed=0),
        llama.LlamaForCausalLM(config),
    )
    disturb(model.parameters())
    fill(dict(peer.named_parameters()), named_as_llama(dict(model.named_parameters()), LAYER))
    # Their angles and norms stay in float32 within a model of float64, which is what the tolerance is for.
    model, peer = model.double(), peer.double()
    ids_BT = torch.arange(32).reshape(2, 16) * 7 % 31
    actual, expected = model.logits(model(ids_BT)), peer(ids_BT).logits
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    direction = torch.linspace(-1, 2, actual.numel(), dtype=actual.dtype).view_as(actual)
    actual.backward(direction)
    expected.backward(direction)
    gradients = named_as_llama({name: gradient(value) for name, value in model.named_parameters()}, LAYER)
    assert_gradients_agree(gradients, dict(peer.named_parameters()))


def test_scores_depend_on_the_distance_of_positions_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    q_B1HK, k_B1HK = (torch.randn(1, 1, 1, 10, generator=generator, dtype=torch.float64) for _ in range(2))
    turn = Rotation(RotaryPositions(), 10)

    def score(query: int, key: int) -> float:
        (q_BTHK, _), (_, k_BTHK) = (turn(q_B1HK, k_B1HK, torch.tensor([at])) for at in (query, key))
        return float((q_BTHK * k_BTHK).sum())

    assert score(7, 4) == pytest.approx(score(1003, 1000), rel=1e-9)
    assert score(5, 5) == pytest.approx(float((q_B1HK * k_B1HK).sum()), rel=1e-12)
    assert len({round(score(7, key), 6) for key in range(12)}) == 12


def test_a_pair_is_a_number_and_the_one_half_a_head_further() -> None:
    x_BTHK = torch.eye(4, dtype=torch.float64)[None, None]
    turned = Rotation(RotaryPositions(base=100.0), 4)(x_BTHK, x_BTHK, torch.tensor([2]))[0][0, 0]
    cos, sin = torch.tensor([2.0, 0.2]).double().cos(), torch.tensor([2.0, 0.2]).double().sin()
    expected = torch.cat((torch.cat((cos.diag(), sin.diag()), 1), torch.cat((-sin.diag(), cos.diag()), 1)))
    torch.testing.assert_close(turned, expected)


def llama(**change: Any) -> Transformer:
    return build(ModelSpec.model_validate(FORM | change), seed=0)


def test_bf16_loses_nothing_in_the_angles() -> None:
    """At position 999 an angle rounded to bf16 would be off by more than a turn."""
    x_BTHK = torch.randn(1, 1, 2, 8, generator=torch.Generator().manual_seed(0))
    turn, far = Rotation(RotaryPositions(), 8), torch.tensor([999])
    rounded = turn(x_BTHK.bfloat16(), x_BTHK.bfloat16(), far)
    assert rounded[1].dtype == torch.bfloat16
    torch.testing.assert_close(rounded[1].float(), turn(x_BTHK, x_BTHK, far)[1], rtol=0.02, atol=0.02)


def test_the_cache_holds_the_shared_heads_only_and_every_row_has_positions_of_its_own() -> None:
    """States of a left-padded batch fed in two parts, against those of each sequence alone."""
    model, ids_BT = llama(), torch.arange(16).reshape(2, 8) * 7 % 31
    start_B = torch.tensor([0, 3])
    columns_T = torch.arange(8)
    positions_BT = (columns_T - start_B[:, None]).clamp(0)
    real_BTS = (columns_T <= columns_T[:, None]) & (columns_T >= start_B[:, None])[:, None]
    visible_BTS = real_BTS | torch.eye(8, dtype=torch.bool)
    caches = [LayerCache(8) for _ in model.blocks]
    parts = [
        model(ids_BT[:, part], None, Decoding(positions_BT[:, part], visible_BTS[:, part, : part.stop], caches))
        for part in (slice(0, 5), slice(5, 8))
    ]
    decoded = torch.cat(parts, 1)
    assert [cache.k_BGSK.shape for cache in caches if cache.k_BGSK is not None] == [(2, 2, 8, 6)] * 2
    for row, start in enumerate(start_B.tolist()):
        torch.testing.assert_close(decoded[row, start:], model(ids_BT[row : row + 1, start:])[0])


def test_greedy_continuations_of_a_padded_batch_are_those_of_each_prompt_alone() -> None:
    model, prompts = llama(), [[3], [5, 6, 7, 8], [1, 2]]
    assert generate(model, prompts, max_tokens=6) == [generate(model, [p], max_tokens=6)[0] for p in prompts]


def test_as_many_heads_of_keys_as_of_queries_is_ordinary_attention() -> None:
    """Weights are drawn by tensor, so the same setting in another spelling is the same model."""
    ids_BT, equal = torch.arange(16)[None], llama(num_kv_heads=4)
    assert torch.equal(equal(ids_BT), llama(num_kv_heads=None)(ids_BT))
    assert torch.equal(equal(ids_BT), llama(num_kv_heads=[4, 4])(ids_BT))


def test_shared_heads_learn_from_all_that_share_them_with_dropped_attention_too() -> None:
    """Dropped attention has a kernel of its own: with a rate too small to drop anything it gives the fused one's."""
    ids_BT = torch.arange(16)[None] * 3 % 31
    plain, dropping = llama(dropout=0.0, attention_dropout=0.0), llama(dropout=0.0, attention_dropout=1e-9)
    for model in (plain, dropping):
        model.logits(model(ids_BT, 5)).square().mean().backward()
    for one, other in zip(plain.parameters(), dropping.parameters(), strict=True):
        torch.testing.assert_close(gradient(one), gradient(other), rtol=1e-3, atol=1e-4)

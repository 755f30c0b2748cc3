"""The estimate for cards against what autograd keeps. The fused attention of the CPU keeps what that of a card does."""

from typing import Any

import pytest
import torch

from stacklab.model.card_memory import estimate_card_memory
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Computation

BODY: dict[str, Any] = {
    "vocab_size": 64,
    "d_model": 128,
    "num_layers": 3,
    "num_heads": 4,
    "context_length": 128,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
LLAMA = {"norm": {"kind": "rms"}, "feed_forward": "gated", "activation": "silu", "linear_bias": False}


def kept_bytes(spec: ModelSpec, dtype: torch.dtype | None, micro_batch: int, *, packed: bool = False) -> int:
    """Bytes of all tensors that autograd keeps in a forward pass up to the hidden states, but for the parameters.

    packed: whether the sequences are packed records.
    """
    model = build(spec, seed=0)
    model.compute_with(Computation(product_dtype=dtype, uses_generator=True))
    own = {each.data_ptr() for each in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.is_floating_point() | (tensor.dtype == torch.bool):
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids_BT = torch.zeros(micro_batch, spec.context_length, dtype=torch.long)
    positions_BT = torch.arange(spec.context_length).expand_as(ids_BT) % 50 if packed else None
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden_BTD = model(ids_BT, 0 if spec.dropout else None, positions_BT=positions_BT)
    assert hidden_BTD.requires_grad
    return sum(kept.values())


@pytest.mark.parametrize(
    "change",
    [
        {},
        LLAMA,
        {"num_layers": 1, "d_ff": 0},
        {"num_heads": 8, "d_ff": 64},
        {"share": "all"},
        {"norm": {"placement": "peri"}, "residual": "depth_scaled"},
        LLAMA | {"norm": {"kind": "rms", "placement": "sandwich"}, "residual": "rezero"},
        LLAMA | {"norm": {"kind": "rms", "placement": "peri"}},
        {"norm": {"placement": "reordered"}, "qk_norm": "head"},
        LLAMA | {"qk_norm": "projection", "residual": "rezero"},
        {"norm": {"placement": "post"}, "residual": "deepnorm", "qk_norm": "projection"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("dtype", "product_bytes"), [(torch.bfloat16, 2), (None, 4)])
def test_activations_are_what_autograd_keeps(change: Any, dtype: torch.dtype | None, product_bytes: int) -> None:
    spec = ModelSpec.model_validate(BODY | change)
    memory = estimate_card_memory(
        spec,
        micro_batch=16,
        context=spec.context_length,
        loss_chunk_rows=512,
        optimizer_tensors=2,
        product_bytes=product_bytes,
        dropout=spec.dropout > 0,
    )
    parameters = sum(each.numel() for each in build(spec, seed=0).parameters())
    copies = memory.weights - 4 * parameters
    assert kept_bytes(spec, dtype, 16) == pytest.approx(memory.activations + copies, rel=0.05)


@pytest.mark.parametrize(("dtype", "product_bytes"), [(torch.bfloat16, 2), (None, 4)])
def test_packed_records_keep_a_mask_for_every_sequence_and_layer(dtype: torch.dtype | None, product_bytes: int) -> None:
    spec = ModelSpec.model_validate(BODY)
    settings: dict[str, Any] = {
        "micro_batch": 16,
        "context": spec.context_length,
        "loss_chunk_rows": 512,
        "optimizer_tensors": 2,
        "product_bytes": product_bytes,
        "dropout": False,
    }
    stream, packed = (estimate_card_memory(spec, **settings, masks=masks) for masks in (0, 16))
    more = kept_bytes(spec, dtype, 16, packed=True) - kept_bytes(spec, dtype, 16)
    transient = 2 * 16 * spec.context_length**2
    assert packed.scores - transient == pytest.approx(more, rel=0.05)
    assert packed.total - packed.scores == stream.total


@pytest.mark.parametrize(("dtype", "product_bytes"), [(torch.bfloat16, 2), (None, 4)])
def test_a_shared_weight_has_a_copy_for_each_layer_that_uses_it(dtype: torch.dtype | None, product_bytes: int) -> None:
    settings: dict[str, Any] = {"micro_batch": 1, "context": 128, "loss_chunk_rows": 512, "optimizer_tensors": 2}
    held, planned = [], []
    for share in (None, "all"):
        spec = ModelSpec.model_validate(BODY | {"share": share})
        memory = estimate_card_memory(spec, **settings, product_bytes=product_bytes, dropout=False)
        planned.append(memory.weights - 4 * sum(each.numel() for each in build(spec, seed=0).parameters()))
        held.append(kept_bytes(spec, dtype, 1))
    assert held[0] == held[1] and planned[0] == planned[1]

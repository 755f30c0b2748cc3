"""FlexAttention against torch's attention with a mask matrix. Here its reference runs, on a card its kernel, which
alone has gradients."""

from typing import get_args

import pytest
import torch
from torch.nn.attention.flex_attention import create_mask

from stacklab.model.masks import MASKS, Mask, Visibility, visibility_of, visible_pairs
from stacklab.model.ops import flex
from stacklab.model.ops.attention import attention
from stacklab.model.patterns.kinds import AnyPattern, BlockPattern, GlobalPattern, RandomBlocksPattern, StridedPattern

VISIBILITIES = [
    Visibility("causal", 24),
    Visibility("full", 9),
    visibility_of("causal", None, GlobalPattern(size=9, tokens=2), flex.SHORTEST),
    visibility_of("full", None, StridedPattern(stride=7, size=3), flex.SHORTEST),
    visibility_of("causal", None, BlockPattern(size=16, neighbours=1), flex.SHORTEST),
    visibility_of("causal", None, RandomBlocksPattern(size=16, random=2), flex.SHORTEST),
]


@pytest.fixture
def on_any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The uncompiled reference on the CPU, for short sequences too."""
    from torch.nn.attention.flex_attention import flex_attention

    monkeypatch.setattr(flex, "pays", lambda q_BHTK, v_BHTK: True)
    monkeypatch.setattr(flex, "_kernel", lambda: flex_attention)


def tensors(size: int, width: int, device: str, dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    drawn = (torch.randn(2, 3, size, width, generator=generator) for _ in range(3))
    return [each.to(device, dtype).requires_grad_() for each in drawn]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("visibility", VISIBILITIES, ids=str)
def test_the_output_is_that_of_a_mask_matrix(visibility: Visibility, on_any_device: None) -> None:
    q, k, v = (each.detach() for each in tensors(130, 16, "cpu", torch.float64))
    seen_TS = visibility.seen_TS(torch.arange(130), torch.arange(130))
    plain = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen_TS, scale=0.3)
    torch.testing.assert_close(attention(q, k, v, dropout=0.0, seed=0, visibility=visibility, scale=0.3), plain)


def test_a_mask_is_made_once() -> None:
    first, second = (flex.block_mask(Visibility("causal", 5), 256, torch.device("cpu")) for _ in range(2))
    assert first is second
    assert set(MASKS) == {"causal", "full"}, "a new mask needs a case above"
    assert {type(each.pattern) for each in VISIBILITIES} - {type(None)} == set(get_args(AnyPattern))


@pytest.mark.parametrize("visibility", VISIBILITIES, ids=str)
def test_the_pairs_that_it_computes_are_those_counted(visibility: Visibility) -> None:
    mask = flex.block_mask(visibility, 130, torch.device("cpu"))
    seen = create_mask(mask.mask_mod, None, None, 130, 130, device="cpu")
    assert int(seen.sum()) == visible_pairs(visibility, 130)


@pytest.mark.parametrize("mask", MASKS)
def test_on_a_cpu_it_is_not_used(mask: Mask) -> None:
    q, _, v = tensors(flex.SHORTEST, 16, "cpu", torch.float32)
    assert not flex.pays(q, v)


@pytest.mark.gpu
@pytest.mark.parametrize("visibility", VISIBILITIES, ids=str)
def test_the_kernel_on_a_card(visibility: Visibility) -> None:
    own, other = (tensors(flex.SHORTEST, 64, "cuda", torch.bfloat16) for _ in range(2))
    assert flex.pays(own[0], own[2])
    out = attention(*own, dropout=0.0, seed=0, visibility=visibility, scale=0.1)
    positions = torch.arange(flex.SHORTEST, device="cuda")
    seen_TS = visibility.seen_TS(positions, positions)
    plain = torch.nn.functional.scaled_dot_product_attention(*other, attn_mask=seen_TS, scale=0.1)
    torch.testing.assert_close(out, plain, rtol=2e-2, atol=2e-2)
    grads = [torch.autograd.grad(each.float().square().sum(), ins) for each, ins in ((out, own), (plain, other))]
    for mine, reference in zip(*grads, strict=True):
        torch.testing.assert_close(mine, reference, rtol=5e-2, atol=5e-2)

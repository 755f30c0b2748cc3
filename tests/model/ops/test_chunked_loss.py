"""Value and gradients of the loss in low precision, on the CPU and, where there is one, on a card."""

import pytest
import torch
import torch.nn.functional as F
from tests.model.ops.full_logits import (
    DEVICES,
    FORMATS,
    LOW,
    assert_close,
    chunked,
    draw,
    error,
    reference,
)

from stacklab.model.ops import chunked_loss, compilation
from stacklab.model.ops import linear_cross_entropy as door
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX, linear_cross_entropy, linear_cross_entropy_rows

IGNORED = [0, 5, 6, 63]


@pytest.fixture(autouse=True)
def chunked_in_fp32_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in chunks of the size that a test names on a card too, where tests this small would fit one chunk."""
    monkeypatch.setattr(door, "_has_own_path", lambda *_: False)
    monkeypatch.setattr(door, "loss_rows", lambda *_, chunk_rows, **__: chunk_rows)


@pytest.fixture(params=["as on this device", "eager", "aot_eager"])
def softmax_pass(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass as the device takes it, and traced without graph breaks for backends that need no compiler."""
    torch.compiler.reset()
    if request.param != "as on this device":
        monkeypatch.setattr(compilation, "compiles", lambda _: True)
        traced = {
            function: torch.compile(function, fullgraph=True, backend=request.param)
            for function in (chunked_loss.losses, chunked_loss.softmax_pass)
        }
        monkeypatch.setattr(chunked_loss, "compiled", traced.__getitem__)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("rows", [1, 24, 512])
@pytest.mark.parametrize("vocab", [100, 128])
@pytest.mark.usefixtures("softmax_pass")
def test_equals_full_logits(device: torch.device, dtype: torch.dtype, rows: int, vocab: int) -> None:
    """With a vocabulary that is padded and one that is not, with ignored rows, and a factor on the loss."""
    x_ND, weight_VD, target_N = draw(64, 16, vocab, dtype, device)
    target_N[IGNORED] = IGNORE_INDEX
    actual = chunked(x_ND, weight_VD, target_N, dtype, rows=rows, factor=0.3)
    assert_close(actual, reference(x_ND, weight_VD, target_N, factor=0.3), dtype)
    assert {each.dtype for each in actual} == {torch.float32}
    assert not actual.grad_x_ND[IGNORED].any()


@pytest.mark.parametrize("dtype", LOW)
def test_softmax_of_low_logits_is_computed_in_fp32(dtype: torch.dtype) -> None:
    logit_RV, target_R = draw(32, 100, 100, dtype)[0].to(dtype), torch.arange(32)
    kept_R = torch.ones_like(target_R, dtype=torch.bool)
    expected = F.cross_entropy(logit_RV.double(), target_R, reduction="none")
    loss_R, _ = chunked_loss.losses(logit_RV, target_R, kept_R)
    assert error(loss_R, expected) < 1e-6
    loss_R, probability_RV = chunked_loss.softmax_pass(logit_RV, target_R, kept_R, 1.0, torch.float32)
    assert error(loss_R, expected) < 1e-6
    assert error(probability_RV, logit_RV.double().softmax(1)) < 1e-6


@pytest.mark.parametrize("dtype", FORMATS)
def test_gradients_have_the_format_of_their_tensors(dtype: torch.dtype) -> None:
    """Without `dtype` the products run in the format of x."""
    x_ND, weight_VD, target_N = draw(64, 16, 100, dtype)
    actual = chunked(x_ND.to(dtype), weight_VD.to(dtype), target_N, None)
    assert [each.dtype for each in actual] == [torch.float32, dtype, dtype]
    assert_close(actual, reference(x_ND, weight_VD, target_N), dtype)


def test_float64_stays_exact() -> None:
    x_ND, weight_VD, target_N = draw(64, 16, 100, torch.float64)
    actual = chunked(x_ND.double(), weight_VD.double(), target_N, None)
    torch.testing.assert_close(actual, reference(x_ND, weight_VD, target_N), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("offset", [128.0, -128.0])
def test_an_offset_common_to_all_logits_changes_nothing(
    device: torch.device, dtype: torch.dtype, offset: float
) -> None:
    """exp(128) and exp(-128) are outside fp32, and a logit of 0 in the padding would outweigh all, or overflow.

    Near 128, logits have an absolute error of 64 eps, and so have losses and gradients relative to their size.
    """
    x_ND, weight_VD, target_N = draw(64, 16, 100, dtype, device)
    expected = reference(x_ND, weight_VD, target_N)
    x_ND, weight_VD = F.pad(x_ND, (0, 1), value=1.0), F.pad(weight_VD, (0, 1), value=offset)
    actual = chunked(x_ND, weight_VD, target_N, dtype)
    actual = actual._replace(grad_x_ND=actual.grad_x_ND[:, :16], grad_weight_VD=actual.grad_weight_VD[:, :16])
    assert_close(actual, expected, dtype, eps=64)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.usefixtures("softmax_pass")
def test_no_target_at_all_is_undefined_and_moves_nothing(dtype: torch.dtype) -> None:
    x_ND, weight_VD, target_N = draw(8, 4, 20, dtype)
    result = chunked(x_ND, weight_VD, torch.full_like(target_N, IGNORE_INDEX), dtype, rows=3)
    assert result.loss.isnan()
    assert not result.grad_x_ND.any()
    assert not result.grad_weight_VD.any()


@pytest.mark.parametrize("dtype", FORMATS)
def test_no_row_at_all_is_undefined(dtype: torch.dtype) -> None:
    x_ND, weight_VD, target_N = draw(8, 4, 20, dtype)
    loss = linear_cross_entropy(x_ND[:0].requires_grad_(), weight_VD, target_N[:0], dtype=dtype)
    loss.backward()
    assert loss.isnan()


@pytest.mark.parametrize("dtype", FORMATS)
def test_diverged_input_gives_nan_not_a_crash(dtype: torch.dtype) -> None:
    x_ND, weight_VD, target_N = draw(8, 4, 20, dtype)
    x_ND[2, 1] = torch.nan
    assert chunked(x_ND, weight_VD, target_N, dtype, rows=3).loss.isnan()


@pytest.mark.parametrize("needed", ["x", "weight"])
def test_the_product_for_a_frozen_tensor_is_left_out(needed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x_ND, weight_VD, target_N = draw(64, 16, 100, torch.bfloat16)
    both = chunked(x_ND, weight_VD, target_N, torch.bfloat16)
    products = []
    original = torch.mm
    monkeypatch.setattr(torch, "mm", lambda a, b: products.append(a.shape) or original(a, b))
    trained = (x_ND if needed == "x" else weight_VD).requires_grad_()
    linear_cross_entropy(x_ND, weight_VD, target_N, chunk_rows=24, dtype=torch.bfloat16).backward()
    torch.testing.assert_close(trained.grad, both.grad_x_ND if needed == "x" else both.grad_weight_VD, rtol=0, atol=0)
    assert len(products) == 2 * 3


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.usefixtures("softmax_pass")
def test_rows_are_the_terms_of_the_mean(device: torch.device, dtype: torch.dtype) -> None:
    x_ND, weight_VD, target_N = draw(64, 16, 100, dtype, device)
    target_N[4] = IGNORE_INDEX
    expected = F.cross_entropy(x_ND.double() @ weight_VD.double().T, target_N, reduction="none")
    with torch.inference_mode():
        loss_N = linear_cross_entropy_rows(x_ND, weight_VD, target_N, chunk_rows=24, dtype=dtype)
    assert loss_N.dtype == torch.float32
    assert loss_N[4] == 0.0
    assert error(loss_N, expected) < 3 * torch.finfo(dtype).eps
    mean = linear_cross_entropy(x_ND, weight_VD, target_N, chunk_rows=24, dtype=dtype)
    assert not mean.requires_grad
    torch.testing.assert_close(mean, loss_N.sum() / 63)


def test_backward_works_once_and_not_through_itself() -> None:
    x_ND, weight_VD, target_N = draw(8, 4, 20, torch.bfloat16)
    loss = linear_cross_entropy(x_ND.requires_grad_(), weight_VD, target_N, dtype=torch.bfloat16)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="called twice"):
        loss.backward()
    loss = linear_cross_entropy(x_ND, weight_VD, target_N, dtype=torch.bfloat16)
    (grad_x_ND,) = torch.autograd.grad(loss * x_ND.sum(), x_ND, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad_x_ND.sum().backward()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", LOW)
def test_the_tables_error_does_not_grow_with_the_number_of_chunks(device: torch.device, dtype: torch.dtype) -> None:
    """Added up in the low format, it would be more than twice as large with 64 chunks."""
    x_ND, weight_VD, target_N = draw(2048, 16, 100, dtype, device)
    expected = reference(x_ND, weight_VD, target_N).grad_weight_VD
    one, many = (
        error(chunked(x_ND, weight_VD, target_N, dtype, rows=rows).grad_weight_VD, expected) for rows in (2048, 32)
    )
    assert many < 1.1 * one


@pytest.mark.parametrize("device", DEVICES)
def test_fp16_keeps_the_gradients_of_improbable_ids(device: torch.device) -> None:
    """Ids from 100 on have probabilities near 1e-7, 1e-11 after the division by 8,192 rows; fp16 ends at 6e-8."""
    x_ND, weight_VD, target_N = draw(8192, 16, 200, torch.float16, device)
    weight_VD[100:] *= 0.0625
    x_ND, weight_VD = F.pad(x_ND, (0, 1), value=1.0), F.pad(weight_VD, (0, 1))
    weight_VD[100:, -1] = -10.0
    target_N %= 100
    expected = reference(x_ND, weight_VD, target_N, factor=65536.0)
    actual = chunked(x_ND, weight_VD, target_N, torch.float16, rows=512, factor=65536.0)
    assert_close(actual, expected, torch.float16)
    improbable = expected.grad_weight_VD[100:]
    assert 0 < float(improbable.abs().max()) / 65536 < 2e-7
    assert error(actual.grad_weight_VD[100:], improbable) < torch.finfo(torch.float16).eps


@pytest.mark.parametrize("device", DEVICES)
def test_fp16_does_not_overflow_where_all_rows_agree(device: torch.device) -> None:
    """The sum over 8,192 rows of 16 is 131,072 for the one target; fp16 ends at 65,504."""
    _, weight_VD, target_N = draw(8192, 4, 50, torch.float16, device)
    x_ND, target_N = torch.full((8192, 4), 16.0, device=device), torch.zeros_like(target_N)
    weight_VD *= 0.03125
    actual = chunked(x_ND, weight_VD, target_N, torch.float16, rows=8192)
    assert_close(actual, reference(x_ND, weight_VD, target_N), torch.float16)

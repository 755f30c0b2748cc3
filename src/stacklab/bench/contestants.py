"""The contestants of `bench step`: a step of stacklab, a step of the peer, and the step's matrix products alone."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from stacklab.base.errors import MissingExtraError
from stacklab.bench.spec import StepSpec
from stacklab.model.init import build
from stacklab.train.schedule import learning_rate
from stacklab.train.step import Trainer

Step = Callable[[int], None]


def tokens_of(spec: StepSpec, step: int) -> Tensor:
    """Random ids [batch, context + 1], the same for both contestants."""
    generator = torch.Generator().manual_seed(step)
    vocab = spec.model.vocab_size
    assert vocab is not None
    return torch.randint(0, vocab, (spec.batch, spec.context + 1), generator=generator)


def stacklab_step(spec: StepSpec) -> Step:
    """A training step of stacklab."""
    trainer = Trainer(build(spec.model, seed=0), spec.train, seed=0)

    def step(number: int) -> None:
        tokens_BT = tokens_of(spec, number)
        trainer.step(number, tokens_BT[:, :-1], tokens_BT[:, 1:])

    return step


def peer_step(spec: StepSpec) -> Step:
    """Hugging Face's GPT2LMHeadModel of equal size with its own loss, the same optimiser, clipping and schedule."""
    try:
        from transformers.models.gpt2 import GPT2Config, GPT2LMHeadModel
    except ImportError as error:
        raise MissingExtraError(
            "bench step compares with transformers; install it: pip install 'stacklab[bench]'"
        ) from error
    model_spec, train = spec.model, spec.train
    assert model_spec.vocab_size is not None
    config = GPT2Config(
        vocab_size=model_spec.vocab_size,
        n_positions=model_spec.context_length,
        n_embd=model_spec.d_model,
        n_layer=spec.layers,
        n_head=8,
        activation_function="gelu",
        resid_pdrop=spec.dropout,
        embd_pdrop=spec.dropout,
        attn_pdrop=spec.dropout,
        use_cache=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config).train()
    model.set_attn_implementation("sdpa")
    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    plain = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)

    def step(number: int) -> None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(train, number)
        tokens_BT = tokens_of(spec, number)
        # The model shifts the labels itself, so both predict `context` tokens less one; the difference is 1 in 512.
        loss = model(input_ids=tokens_BT[:, :-1], labels=tokens_BT[:, :-1]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return step


def products_step(spec: StepSpec) -> Step:
    """Only the matrix products of a step's linear maps, forward and both gradients, into buffers that are kept."""
    width, rows = spec.model.d_model, spec.train.loss_chunk_rows
    shapes = [(spec.tokens, width, size) for layer in spec.model.layers for size in (3 * width, width)]
    shapes += [(spec.tokens, width, layer.d_ff) for layer in spec.model.layers for _ in range(2)]
    assert spec.model.vocab_size is not None
    shapes += [(rows, width, spec.model.vocab_size)] * (spec.tokens // rows)
    buffers = {shape: tuple(_buffers(*shape)) for shape in set(shapes)}

    def step(number: int) -> None:
        for shape in shapes:
            x_ND, weight_VD, out_NV, grad_x_ND, grad_weight_VD = buffers[shape]
            torch.mm(x_ND, weight_VD.t(), out=out_NV)
            torch.mm(out_NV, weight_VD, out=grad_x_ND)
            torch.mm(out_NV.t(), x_ND, out=grad_weight_VD)

    return step


def product_flops(spec: StepSpec) -> int:
    """Floating-point operations of `products_step`."""
    width = spec.model.d_model
    assert spec.model.vocab_size is not None
    weights = spec.model.vocab_size * width + sum(4 * width * width + 2 * width * one.d_ff for one in spec.model.layers)
    return 3 * 2 * weights * spec.tokens


def _buffers(rows: int, width: int, size: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    for shape in ((rows, width), (size, width)):
        yield torch.randn(shape, generator=generator)
    for shape in ((rows, size), (rows, width), (size, width)):
        yield torch.zeros(shape)


CONTESTANTS: dict[str, Callable[[StepSpec], Step]] = {
    "stacklab": stacklab_step,
    "peer": peer_step,
    "products": products_step,
}

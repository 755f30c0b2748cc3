"""The contestants of `bench step`: steps of stacklab and of the peer, and parts of a step alone."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from stacklab.base.errors import MissingExtraError
from stacklab.bench.products import matrix_step, products_step
from stacklab.bench.spec import StepSpec
from stacklab.model.init import build
from stacklab.model.ops.linear_cross_entropy import linear_cross_entropy
from stacklab.run.environment import prepare_device
from stacklab.train import step as train_step
from stacklab.train.device import DeviceChoice, choose, compiles, pick_device
from stacklab.train.schedule import learning_rate
from stacklab.train.spec import Compile

Step = Callable[[int], None]


def contestant_names(device: torch.device, setting: Compile) -> tuple[str, ...]:
    """Which contestants are measured: compiled ones where `auto` compiles, those alone for `blocks`.

    Raises DeviceError where blocks cannot be compiled.
    """
    compiled = compiles(setting, device)
    suffixes = [suffix for suffix, is_in in (("", setting != "blocks"), ("-compiled", compiled)) if is_in]
    trained = tuple(name + suffix for name in ("stacklab", "peer") for suffix in suffixes)
    if device.type != "cuda":
        return (*trained, "products")
    return (*trained, "nondeterministic-compiled" if compiled else "nondeterministic", "products", "head", "matrix")


def tokens_of(spec: StepSpec, step: int) -> Tensor:
    """Random ids [batch, context + 1], the same for both contestants."""
    generator = torch.Generator().manual_seed(step)
    vocab = spec.model.vocab_size
    assert vocab is not None
    return torch.randint(0, vocab, (spec.batch, spec.context + 1), generator=generator)


def choice_of(spec: StepSpec) -> DeviceChoice:
    """The device and the number format of products that stacklab trains with."""
    return choose(spec.train, pick_device(spec.device))


class LossReader:
    """Reads the numbers of a step at once on a CPU, and a step later on other devices, as the training loop does."""

    def __init__(self, device: torch.device) -> None:
        self.is_late = device.type != "cpu"
        self.unread: tuple[Tensor, ...] = ()

    def read(self, *numbers: Tensor) -> None:
        ready, self.unread = (self.unread, numbers) if self.is_late else (numbers, ())
        for number in ready:
            number.item()


def stacklab_step(spec: StepSpec, *, compile: Compile = "off", deterministic: bool = True) -> Step:
    """A training step of stacklab."""
    train = spec.train.model_copy(update={"compile": compile, "deterministic": deterministic})
    prepare_device(train)
    device = choice_of(spec).device
    trainer = train_step.Trainer(build(spec.model, seed=0, device=str(device)), train, seed=0)
    reader = LossReader(device)

    def step(number: int) -> None:
        tokens_BT = tokens_of(spec, number)
        reader.read(*trainer.launch(number, tokens_BT[:, :-1], tokens_BT[:, 1:]))

    return step


def peer_step(spec: StepSpec, *, compiled: bool = False) -> Step:
    """Hugging Face's GPT2LMHeadModel of equal size with its own loss, the same optimiser, clipping and schedule.

    In low precision it runs under autocast. Compiled, all of it is, its loss included.
    """
    train, choice = spec.train, choice_of(spec)
    device, dtype = choice.device, choice.product_dtype
    model = _gpt2(spec).to(device)
    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    plain = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=choice.precision == "fp16")
    reader = LossReader(device)
    forward: Callable[..., Tensor] = _loss_of(model)
    if compiled:
        forward = torch.compile(forward, backend=train_step.BACKEND)

    def step(number: int) -> None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(train, number)
        ids_BT = tokens_of(spec, number)[:, :-1].to(device, non_blocking=True)
        # The model shifts the labels itself, so both predict `context` tokens less one; the difference is 1 in 512.
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            loss = forward(ids_BT)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        reader.read(loss.detach())

    return step


def _loss_of(model: torch.nn.Module) -> Callable[[Tensor], Tensor]:
    def loss(ids_BT: Tensor) -> Tensor:
        of_batch: Tensor = model(input_ids=ids_BT, labels=ids_BT).loss
        return of_batch

    return loss


def _gpt2(spec: StepSpec) -> torch.nn.Module:
    """The peer in training mode. Raises MissingExtraError without transformers."""
    try:
        from transformers.models.gpt2 import GPT2Config, GPT2LMHeadModel
    except ImportError as error:
        raise MissingExtraError(
            "bench step compares with transformers; install it: pip install 'stacklab[bench]'"
        ) from error
    assert spec.model.vocab_size is not None
    config = GPT2Config(
        vocab_size=spec.model.vocab_size,
        n_positions=spec.model.context_length,
        n_embd=spec.model.d_model,
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
    model: torch.nn.Module = GPT2LMHeadModel(config).train()
    model.set_attn_implementation("sdpa")  # type: ignore[operator]
    return model


def head_step(spec: StepSpec) -> Step:
    """Head and loss alone, forward and backward, as stacklab's steps compute them."""
    train, vocab = spec.train, spec.model.vocab_size
    assert vocab is not None
    prepare_device(train)
    device, dtype = choice_of(spec).device, choice_of(spec).product_dtype
    generator = torch.Generator().manual_seed(0)
    x_ND = torch.randn(spec.tokens, spec.d_model, generator=generator).to(device).requires_grad_()
    weight_VD = (0.02 * torch.randn(vocab, spec.d_model, generator=generator)).to(device).requires_grad_()
    target_N = torch.randint(0, vocab, (spec.tokens,), generator=generator).to(device)

    def step(number: int) -> None:
        loss = linear_cross_entropy(x_ND, weight_VD, target_N, chunk_rows=train.loss_chunk_rows, dtype=dtype)
        loss.backward()  # type: ignore[no-untyped-call]
        x_ND.grad = weight_VD.grad = None

    return step


CONTESTANTS: dict[str, Callable[[StepSpec], Step]] = {
    "stacklab": stacklab_step,
    "stacklab-compiled": partial(stacklab_step, compile="blocks"),
    "nondeterministic": partial(stacklab_step, deterministic=False),
    "nondeterministic-compiled": partial(stacklab_step, compile="blocks", deterministic=False),
    "peer": peer_step,
    "peer-compiled": partial(peer_step, compiled=True),
    "products": lambda spec: products_step(spec, choice_of(spec)),
    "head": head_step,
    "matrix": lambda spec: matrix_step(choice_of(spec)),
}

"""Which runs can be trained together, by their specs, and how many. No torch here."""

from typing import NamedTuple

from stacklab.base.canon import fingerprint
from stacklab.data.spec import DataSpec
from stacklab.model.card_memory import estimate_card_memory
from stacklab.model.count import FLOAT_BYTES, count_parameters, vocab_size
from stacklab.model.ops.piece_size import holds_all_logits
from stacklab.model.stacked.support import unsupported
from stacklab.run.spec import RunSpec
from stacklab.train.spec import TrainSpec


class Rule(NamedTuple):
    """Which of the runs that a stack supports are trained in stacks on a device.

    most_runs: in a stack. text: whether runs over text are. dropout: whether runs with dropout are; its masks are then
    not those of the run alone. most_parameters, most_positions: None for no limit. precisions: as in TrainSpec.
    """

    most_runs: int
    text: bool
    dropout: bool
    most_parameters: int | None
    most_positions: int | None
    precisions: tuple[str, ...]


ON_CPU = Rule(8, text=False, dropout=False, most_parameters=1_000_000, most_positions=128, precisions=("auto", "fp32"))
"""More runs in a stack gain nothing and cost memory; larger models and longer sequences use a whole core by themselves,
and so does text with its head."""

ON_CARD = Rule(
    64, text=True, dropout=True, most_parameters=None, most_positions=None, precisions=("auto", "fp32", "bf16")
)
"""A small run leaves most of a card idle, whatever its data. Memory limits the number of runs: see `most_members`."""

CARD_SHARE = 0.8
"""Of the memory of a card, what a stack may use by the estimate."""

BYTES_PER_PARAMETER = 28
"""Weight, two moments and gradient in fp32, two more numbers at work in the backward pass or in the step, and the
weight of the run's own model, into which it is unloaded."""

TRAIN_FIELDS = {
    *("steps", "batch_size", "micro_batch_size", "optimizer", "schedule", "device", "precision", "residual", "tf32"),
    *("compile", "deterministic", "loss_chunk_rows", "checkpoint_every", "diverged_above", "stop"),
}
"""The fields of TrainSpec that a stack knows; any other must have its default."""

FREE = {"model": {"init"}, "train": {"steps", "optimizer", "schedule", "checkpoint_every", "diverged_above", "stop"}}
"""Fields in which the runs of a group may differ, beside the seed: they change neither shapes nor evaluated sequences.
The optimiser's settings may differ, its kind may not."""


def rule_for(*, on_card: bool) -> Rule:
    """The rule of the device on which runs are trained."""
    return ON_CARD if on_card else ON_CPU


def why_alone(spec: RunSpec, *, on_card: bool) -> str | None:
    """Why a run must be trained by itself; None when it can be trained in a stack of runs. on_card: see rule_for."""
    rule = rule_for(on_card=on_card)
    if isinstance(spec.data, DataSpec):
        if not rule.text:
            return "runs over text are not supported in a stack on a CPU"
        if spec.data.packing != "stream":
            return f"data.packing = {spec.data.packing} is not supported in a stack"
    if rule.most_positions is not None and spec.data.block_size > rule.most_positions:
        return f"sequences of {spec.data.block_size} positions are longer than {rule.most_positions}"
    setting = unsupported(spec.model) or (None if rule.dropout else _dropout(spec))
    if setting:
        return f"model.{setting} is not supported in a stack"
    if reason := _training(spec.train, rule):
        return reason
    parameters = count_parameters(spec.model).total
    if rule.most_parameters is not None and parameters > rule.most_parameters:
        return f"{parameters:,} parameters are more than {rule.most_parameters:,}"
    return None


def _dropout(spec: RunSpec) -> str | None:
    for field in ("dropout", "attention_dropout"):
        if value := getattr(spec.model, field):
            return f"{field} = {value}"
    return None


def _training(train: TrainSpec, rule: Rule) -> str | None:
    """What a stack does not support of the settings of training."""
    if not train.optimizer.stacks:
        return f"optimizer.kind = {train.optimizer.kind} is not supported in a stack"
    if train.micro_batch != train.batch_size:
        return "micro-batches are not supported in a stack"
    if train.precision not in rule.precisions:
        return f"precision {train.precision} is not supported in a stack"
    if train.compile == "blocks":
        return "train.compile = blocks is not supported in a stack"
    if train.device == "mps":
        return "train.device = mps is not supported in a stack"
    for name, field in TrainSpec.model_fields.items():
        if name not in TRAIN_FIELDS and (value := getattr(train, name)) != field.get_default(call_default_factory=True):
            return f"train.{name} = {value} is not supported in a stack"
    return None


def group_key(spec: RunSpec) -> str:
    """Equal for runs that can share a stack."""
    tree = spec.dump()
    del tree["seed"]
    del tree["evaluate"]["every"]
    for section, fields in FREE.items():
        for field in fields:
            del tree[section][field]
    return fingerprint([tree, spec.train.optimizer.kind])


def most_members(spec: RunSpec, *, card_bytes: int, product_bytes: int) -> int:
    """How many runs like this one a card of `card_bytes` takes as a stack, at least 1.

    product_bytes: of a number in products. It depends on the size of the card and not on what is free, so that the same
    runs form the same stacks again.
    """
    context, model = spec.data.block_size, spec.model
    memory = estimate_card_memory(
        model,
        micro_batch=spec.train.batch_size,
        context=context,
        loss_chunk_rows=spec.train.loss_chunk_rows,
        optimizer_tensors=len(spec.train.optimizer.state),
        product_bytes=product_bytes,
        dropout=model.dropout > 0.0,
    )
    each, once = BYTES_PER_PARAMETER * count_parameters(model).total + memory.activations, memory.scores
    rows = spec.train.batch_size * context
    if holds_all_logits(rows, vocab=vocab_size(model)):
        # Logits, their logarithms of shares and their gradient.
        each += 3 * FLOAT_BYTES * rows * vocab_size(model)
    else:
        once += memory.loss_chunk
    return max(1, int(CARD_SHARE * card_bytes - once) // each)

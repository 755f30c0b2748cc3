"""Runs the coordinate check: trains stacks of several sizes for a few steps and measures their outputs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stacklab.model.transformer import Transformer
from stacklab.run.coordinates import Kind, Knob, Reading, Sweep, variants
from stacklab.run.execute import Execution
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.train.step import Trainer

PROBE_BLOCKS = 4
"""Sequences of the train probe on which outputs are measured."""


def check(
    spec: RunSpec,
    out: Path,
    *,
    knob: Knob,
    values: Sequence[int],
    seeds: Sequence[int],
    steps: int,
    tell: Callable[[str], None],
) -> Sweep:
    """Train the run's stack with every value of the knob, under both parametrisations, for `steps` steps.

    The other settings are the run's, except the schedule, which is constant at the peak rate. A seed has the same
    batches at every size. tell: receives a line of progress per stack. Nothing is written; the data must be prepared.
    Raises SpecError as `variants` does.
    """
    stacks = variants(spec.model, knob, values)
    readings: list[Reading] = []
    for number, ((kind, value), model) in enumerate(stacks.items(), start=1):
        tell(f"{knob} {value}, {kind} ({number} of {len(stacks)})")
        for seed in seeds:
            changed = {"model": model.dump(), "train": _train(spec, steps), "seed": seed}
            readings += _read(RunSpec.model_validate(spec.dump() | changed), out, kind, value)
    return Sweep(knob, tuple(sorted(values)), tuple(seeds), steps, tuple(readings))


def _read(spec: RunSpec, out: Path, kind: Kind, value: int) -> list[Reading]:
    execution = Execution(spec, OutPaths(out).run(spec.run_id), lambda: False)
    drawn = (execution.feed.batch(step) for step in range(spec.train.steps))
    batches = (batch.sequences.tensors for batch in drawn)
    probe_BT, positions = torch.from_numpy(execution.feed.probe_BT[:PROBE_BLOCKS]), execution.feed.probe_positions_BT
    positions_BT = None if positions is None else torch.from_numpy(positions[:PROBE_BLOCKS])
    sizes = watch(execution.trainer, batches, probe_BT, positions_BT)
    return [Reading(kind, value, spec.seed, *size) for size in sizes]


def _train(spec: RunSpec, steps: int) -> dict[str, object]:
    schedule = {"kind": "constant", "warmup_steps": 0}
    return spec.train.dump() | {"steps": steps, "schedule": schedule}


LOGIT_ROWS = 256
"""Positions whose logits are measured, evenly spaced: with a large vocabulary all logits would fill the memory."""

Outputs = dict[str, list[Tensor]]
"""Part -> its outputs: one, or one per layer."""


Batch = tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor | None]
"""Inputs, targets and, of packed records, positions."""


class Size(NamedTuple):
    """Mean absolute values over positions and coordinates (and layers): of the output after `step` steps, and of its
    difference from the output at step 0."""

    step: int
    part: str
    size: float
    change: float


def watch(
    trainer: Trainer, batches: Iterable[Batch], probe_BT: Tensor, positions_BT: Tensor | None = None
) -> Iterator[Size]:
    """Train on `batches` and measure every part on `probe_BT` before and after each.

    positions_BT: those of the probe, see Transformer.forward.
    """
    probe_BT = probe_BT.to(trainer.device)
    positions_BT = None if positions_BT is None else positions_BT.to(trainer.device)
    start = outputs(trainer.model, probe_BT, positions_BT)
    yield from _sizes(0, start, start)
    for step, batch in enumerate(batches):
        trainer.step(step, *batch)
        yield from _sizes(step + 1, outputs(trainer.model, probe_BT, positions_BT), start)


@torch.no_grad()
def outputs(model: Transformer, ids_BT: Tensor, positions_BT: Tensor | None = None) -> Outputs:
    """The outputs of each part for `ids_BT`, without dropout, before residual multipliers.

    embedding: tokens with positions. attention, feed-forward: of every layer. after block 1, 2, ..., after the last
    block: the residual stream. logits: at LOGIT_ROWS positions.
    """
    by_part: Outputs = {}
    names = [f"after block {index + 1}" for index in range(len(model.blocks) - 1)] + ["after the last block"]
    handles = [_first(model).register_forward_pre_hook(lambda _, inputs: _keep(by_part, "embedding", inputs[0]))]
    # Layers may share modules, which are watched once: they then keep an output for each layer.
    watched: dict[nn.Module, str] = {}
    for name, block in zip(names, model.blocks, strict=False):
        for part, module in (("attention", block.attention), ("feed-forward", block.feed_forward), (name, block)):
            assert isinstance(module, nn.Module)
            watched[module] = part
    handles += [module.register_forward_hook(_keeper(by_part, part)) for module, part in watched.items()]
    try:
        hidden_ND = model(ids_BT, positions_BT=positions_BT).flatten(0, 1)
    finally:
        for handle in handles:
            handle.remove()
    by_part["logits"] = [model.logits(hidden_ND[:: max(1, len(hidden_ND) // LOGIT_ROWS)])]
    return by_part


def _first(model: Transformer) -> nn.Module:
    """The first module whose input has tokens and positions added."""
    return model.blocks[0] if len(model.blocks) else model.final_norm


def _keeper(by_part: Outputs, part: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    return lambda _module, _inputs, output: _keep(by_part, part, output)


def _keep(by_part: Outputs, part: str, value: Tensor) -> None:
    by_part.setdefault(part, []).append(value)


def _sizes(step: int, now: Outputs, start: Outputs) -> Iterator[Size]:
    for part, values in now.items():
        size = torch.stack([value.abs().mean() for value in values]).mean()
        changes = [(value - first).abs().mean() for value, first in zip(values, start[part], strict=True)]
        yield Size(step, part, size.item(), torch.stack(changes).mean().item())

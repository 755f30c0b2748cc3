"""Runs the coordinate check: trains stacks of several sizes for a few steps and measures their outputs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from stacklab.run.coordinates import Kind, Knob, Reading, Sweep, variants
from stacklab.run.execute import Execution
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.train.coordinates import watch

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
    batches = ((torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)) for batch in drawn)
    probe_BT = torch.from_numpy(execution.feed.probe_BT[:PROBE_BLOCKS])
    return [Reading(kind, value, spec.seed, *size) for size in watch(execution.trainer, batches, probe_BT)]


def _train(spec: RunSpec, steps: int) -> dict[str, object]:
    schedule = {"kind": "constant", "warmup_steps": 0}
    return spec.train.dump() | {"steps": steps, "schedule": schedule}

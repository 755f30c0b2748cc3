"""Which runs can be trained together, by their specs. No torch here."""

from stacklab.base.canon import fingerprint
from stacklab.model.count import count_parameters
from stacklab.model.stacked.support import unsupported
from stacklab.run.spec import RunSpec
from stacklab.tasks.data import TaskData

MOST_PARAMETERS = 1_000_000
MOST_POSITIONS = 128
"""Larger models and longer sequences use a whole core by themselves."""

FREE = {"model": {"init"}, "train": {"steps", "optimizer", "schedule", "checkpoint_every", "diverged_above", "stop"}}
"""Fields in which the runs of a group may differ, beside the seed: they change neither shapes nor evaluated sequences.
The optimiser's settings may differ, its kind may not."""


def why_alone(spec: RunSpec) -> str | None:
    """Why a run must be trained by itself; None when it can be trained in a stack of runs."""
    if not isinstance(spec.data, TaskData):
        return "runs over text are not supported in a stack"
    if spec.data.block_size > MOST_POSITIONS:
        return f"sequences of {spec.data.block_size} positions are longer than {MOST_POSITIONS}"
    if setting := unsupported(spec.model):
        return f"model.{setting} is not supported in a stack"
    if not spec.train.optimizer.stacks:
        return f"optimizer.kind = {spec.train.optimizer.kind} is not supported in a stack"
    if spec.train.micro_batch != spec.train.batch_size:
        return "micro-batches are not supported in a stack"
    if spec.train.precision not in ("auto", "fp32"):
        return f"precision {spec.train.precision} is not supported in a stack"
    parameters = count_parameters(spec.model).total
    if parameters > MOST_PARAMETERS:
        return f"{parameters:,} parameters are more than {MOST_PARAMETERS:,}"
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

"""Checkpoints: one safetensors file, written atomically, with its run, its step and a checksum of its content."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from stacklab.base.canon import SUM
from stacklab.base.errors import CheckpointError
from stacklab.base.files import regular
from stacklab.train.checkpoint_metadata import (
    PRECISION,
    RUN_ID,
    STEP,
    WORLD_SIZE,
    check_precision,
    check_world_size,
    packed,
    unpacked,
)
from stacklab.train.optimizer import load_optimizer_tensors, optimizer_tensors
from stacklab.train.step import Trainer
from stacklab.train.tensor_file import content_sum, save_tensors

WEIGHTS, STATE = "weights/", "optimizer/"
RESTART = "delete it, and the run is trained anew"
RETRAIN = "delete the folder of its run, and `stacklab run` trains it anew"


def save_checkpoint(
    path: Path, trainer: Trainer, *, run_id: str, step: int, logs: Mapping[str, str] | None = None
) -> None:
    """Save weights, optimiser state and loss scale after `step` steps. logs: the hashes of the logs up to there."""
    tensors = {WEIGHTS + name: value for name, value in _weights(trainer.model).items()}
    state = optimizer_tensors(trainer.model, trainer.optimizer, trainer.spec.optimizer)
    tensors |= {STATE + name: value for name, value in state.items()}
    scale = trainer.scaler.state_dict()
    tensors |= {f"scaler/{name}": torch.tensor(scale[name]) for name in ("scale", "_growth_tracker") if name in scale}
    _save(path, tensors, {RUN_ID: run_id, STEP: str(step), **_conditions(trainer), **(logs or {})})


def load_checkpoint(path: Path, trainer: Trainer, *, run_id: str) -> int:
    """Load a checkpoint of the same run into the trainer; returns the number of steps done.

    Raises CheckpointError when the file is damaged, of another run, of another number of ranks or number format, or
    does not fit the model.
    """
    tensors, metadata = _load(path, RESTART)
    if metadata.get(RUN_ID) != run_id:
        raise CheckpointError(f"{path}: belongs to run {metadata.get(RUN_ID)}, expected {run_id}; {RESTART}")
    check_world_size(path, metadata, trainer.world.size)
    check_precision(path, metadata, trainer.choice.precision)
    load_weights(trainer.model, _part(tensors, WEIGHTS), path)
    try:
        load_optimizer_tensors(trainer.model, trainer.optimizer, trainer.spec.optimizer, _part(tensors, STATE))
        step = int(metadata[STEP])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: lacks {error}; {RESTART}") from error
    scaler = _part(tensors, "scaler/")
    if scaler:
        current = trainer.scaler.state_dict()
        trainer.scaler.load_state_dict(current | {name: value.item() for name, value in scaler.items()})
    return step


def _conditions(trainer: Trainer) -> dict[str, str]:
    """On what the digits of a run depend besides its spec, and so must not change in the middle of it."""
    return {WORLD_SIZE: str(trainer.world.size), PRECISION: trainer.choice.precision}


def save_weights(path: Path, model: nn.Module, *, run_id: str) -> None:
    """Save the weights of a model."""
    _save(path, _weights(model), {RUN_ID: run_id})


def read_weights(path: Path, *, mend: str = RETRAIN) -> dict[str, Tensor]:
    """The tensors of `save_weights`. Raises CheckpointError, ending in `mend`, when the file is damaged."""
    return _load(path, mend)[0]


def load_weights(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy tensors into the model. Raises CheckpointError naming missing, extra or misshapen tensors."""
    own = _weights(model)
    if missing := sorted(own.keys() - tensors.keys()):
        raise CheckpointError(f"{path}: lacks the tensor {missing[0]} (and {len(missing) - 1} more)")
    if extra := sorted(tensors.keys() - own.keys()):
        raise CheckpointError(f"{path}: has the unknown tensor {extra[0]} (and {len(extra) - 1} more)")
    for name, parameter in own.items():
        if parameter.shape != tensors[name].shape:
            own_shape, shape = tuple(parameter.shape), tuple(tensors[name].shape)
            raise CheckpointError(f"{path}: {name} has shape {shape}, the model needs {own_shape}")
        with torch.no_grad():
            parameter.copy_(tensors[name])


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    whole = {name: value.cpu().contiguous() for name, value in tensors.items()}
    save_tensors(path, whole, packed(metadata | {SUM: content_sum(whole, metadata)}))


def _load(path: Path, mend: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and facts, checked against the checksum, which files of earlier versions do not have."""
    try:
        with safe_open(regular(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            facts = unpacked(file.metadata() or {})
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a complete checkpoint ({error}); {mend}") from error
    held = facts.pop(SUM, None)
    if held is not None and content_sum(tensors, facts) != held:
        raise CheckpointError(f"{path}: damaged, its content does not have the checksum that it was saved with; {mend}")
    return tensors, facts

"""Checkpoints: one safetensors file, written atomically, with its run and its step."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from stacklab.base.errors import CheckpointError
from stacklab.base.files import regular
from stacklab.train.checkpoint_metadata import PRECISION, WORLD_SIZE, check_precision, check_world_size
from stacklab.train.optimizer import load_optimizer_tensors, optimizer_tensors
from stacklab.train.step import Trainer
from stacklab.train.tensor_file import save_tensors

WEIGHTS, STATE = "weights/", "optimizer/"


def save_checkpoint(path: Path, trainer: Trainer, *, run_id: str, step: int) -> None:
    """Save weights, optimiser state and loss scale after `step` steps."""
    tensors = {WEIGHTS + name: value for name, value in _weights(trainer.model).items()}
    state = optimizer_tensors(trainer.model, trainer.optimizer, trainer.spec.optimizer)
    tensors |= {STATE + name: value for name, value in state.items()}
    scale = trainer.scaler.state_dict()
    tensors |= {f"scaler/{name}": torch.tensor(scale[name]) for name in ("scale", "_growth_tracker") if name in scale}
    _save(path, tensors, {"run_id": run_id, "step": str(step), **_conditions(trainer)})


def load_checkpoint(path: Path, trainer: Trainer, *, run_id: str) -> int:
    """Load a checkpoint of the same run into the trainer; returns the number of steps done.

    Raises CheckpointError when the file is damaged, of another run, of another number of ranks or number format, or
    does not fit the model.
    """
    tensors, metadata = _load(path)
    if metadata.get("run_id") != run_id:
        raise CheckpointError(
            f"{path}: belongs to run {metadata.get('run_id')}, expected {run_id}; delete it to restart"
        )
    check_world_size(path, metadata, trainer.world.size)
    check_precision(path, metadata, trainer.choice.precision)
    load_weights(trainer.model, _part(tensors, WEIGHTS), path)
    try:
        load_optimizer_tensors(trainer.model, trainer.optimizer, trainer.spec.optimizer, _part(tensors, STATE))
        step = int(metadata["step"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: lacks {error}; delete it to restart the run") from error
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
    _save(path, _weights(model), {"run_id": run_id})


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of `save_weights`. Raises CheckpointError when the file is damaged."""
    return _load(path)[0]


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
    save_tensors(path, {name: value.contiguous() for name, value in tensors.items()}, metadata)


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(regular(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a complete checkpoint ({error}); delete it to restart the run") from error

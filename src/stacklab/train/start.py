"""The weights from which training starts instead of random ones, kept under the fingerprint of their content.

A spec names them by that fingerprint, so that other weights make another run, and a run can begin where the model that
they came from has changed or is gone.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from stacklab.base.errors import CheckpointError, SpecError
from stacklab.base.text import shown
from stacklab.train.checkpoint import load_weights, read_weights
from stacklab.train.tensor_file import save_tensors

NAME = re.compile(r"weights-[0-9a-f]{16}")
MEND = "delete it and plan the study again"


def weights_name(tensors: Mapping[str, Tensor]) -> str:
    """`weights-` and 16 hex digits of the SHA-256 over names, shapes and float32 values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name}\0{tuple(tensors[name].shape)}\0".encode())
        digest.update(tensors[name].detach().float().cpu().contiguous().numpy().astype("<f4", copy=False).tobytes())
    return f"weights-{digest.hexdigest()[:16]}"


def keep_weights(tensors: Mapping[str, Tensor], folder: Path) -> str:
    """Keep weights in a folder, unless they are there already; returns their name. Raises DiskError."""
    name = weights_name(tensors)
    if not _file(folder, name).exists():
        save_tensors(_file(folder, name), {key: value.float().contiguous() for key, value in tensors.items()})
    return name


def load_start(model: nn.Module, name: str, folder: Path) -> None:
    """Copy kept weights into the model.

    Raises SpecError for a name that is not of kept weights, CheckpointError for weights that are missing, damaged or of
    another stack.
    """
    if not NAME.fullmatch(name):
        raise SpecError(
            f"model.start_from = {shown(name)}: its weights are kept when a study is planned, and this run is not "
            "planned; leave the setting out"
        )
    path = _file(folder, name)
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such file; plan the study again, which keeps the weights that it starts from"
        )
    tensors = read_weights(path, mend=MEND)
    if weights_name(tensors) != name:
        raise CheckpointError(f"{path}: not as it was written; {MEND}")
    load_weights(model, tensors, path)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"

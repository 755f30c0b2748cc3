"""Writes a model as an ONNX graph from ids to logits, and checks it against the model with onnxruntime."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stacklab.base.errors import MissingExtraError, PortError
from stacklab.exchange.check_export import check_difference, probe
from stacklab.exchange.portable import Portable
from stacklab.model.transformer import Transformer

FILE = "model.onnx"
IDS, LOGITS = "input_ids", "logits"
SHORTEST = 3
FLOAT_BYTES, LARGEST_INSIDE = 4, 2**30
"""Larger weights are written beside the graph, since its file format is limited to 2 GB."""


class _Logits(nn.Module):
    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.model.logits(self.model(input_ids))


def write_onnx(folder: Path, model: Portable) -> None:
    """model.onnx: `input_ids` [B, T], int64 -> `logits` [B, T, V]; any batch, any length up to the context.

    Raises MissingExtraError without the extra `onnx`.
    """
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        raise MissingExtraError("--format onnx needs onnx and onnxscript; pip install 'stacklab[onnx]'")
    if model.spec.context_length < SHORTEST:
        raise PortError(
            f"context_length is {model.spec.context_length}; a graph for any length needs {SHORTEST} or more"
        )
    graph = _Logits(model.build(folder)).eval()
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=model.spec.context_length)}
    weights = FLOAT_BYTES * sum(value.numel() for value in model.tensors.values())
    with _quiet():
        torch.onnx.export(
            graph,
            (probe(model),),
            folder / FILE,
            input_names=[IDS],
            output_names=[LOGITS],
            dynamic_shapes={"input_ids": sizes},
            dynamo=True,
            verbose=False,
            external_data=weights > LARGEST_INSIDE,
        )


def check_onnx(folder: Path, model: Portable) -> float | None:
    """The largest difference between onnxruntime's logits and the model's; None when onnxruntime is not installed.

    Batch size and length differ from those the graph was traced with. Raises PortError as `check_difference` does.
    """
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    ids_BT = probe(model)[:1, :-1]
    ours = model.build(folder)
    with torch.no_grad():
        expected_BTV = ours.logits(ours(ids_BT))
    session = onnxruntime.InferenceSession(folder / FILE, providers=["CPUExecutionProvider"])
    (onnx_BTV,) = session.run([LOGITS], {IDS: ids_BT.numpy()})
    difference = float(np.abs(expected_BTV.numpy() - onnx_BTV).max())
    check_difference(folder, difference, expected_BTV)
    return difference


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings and logs, which concern its internals only."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)

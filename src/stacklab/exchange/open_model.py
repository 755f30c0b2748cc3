"""Opens a model by name, with its weights and its vocabulary, ready to generate text."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from stacklab.base.errors import DataError
from stacklab.data.prepared import load_prepared, prepared_folder
from stacklab.exchange.locate import locate
from stacklab.exchange.portable import Portable
from stacklab.exchange.text_codec import decoder, encoder
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.run.paths import RunPaths, out_of
from stacklab.run.store import Checkpoint, read_spec, weights_of
from stacklab.tasks.data import TaskData
from stacklab.train.checkpoint import load_weights, read_weights


@dataclass(frozen=True)
class OpenModel:
    """A model with its text codec. end_id: None when the model has no end token."""

    name: str
    model: Transformer
    encode: Callable[[str], list[int]]
    decode: Callable[[Iterable[int]], str]
    end_id: int | None


def open_model(name: str, out: Path, *, checkpoint: Checkpoint = "last") -> OpenModel:
    """A model by name: a finished run (folder, id, start of an id), an imported model (name or folder), or a folder as
    transformers writes it. checkpoint: which weights of a run; the best ones exist while it trains.

    Raises CheckpointError, DataError, PortError or TokenizerError.
    """
    located = locate(name, out, checkpoint=checkpoint)
    if isinstance(located, RunPaths):
        return open_run(located, checkpoint)
    return open_portable(located, Path(name))


def open_run(run: RunPaths, checkpoint: Checkpoint = "last") -> OpenModel:
    """A run over text with its final or its best weights. Raises CheckpointError or DataError."""
    weights = weights_of(run, checkpoint)
    spec = read_spec(run)
    if isinstance(spec.data, TaskData):
        raise DataError(
            f"{run.folder}: was trained on the task {spec.data.task.kind}, which has no text to continue; name a run "
            "over text"
        )
    data = load_prepared(prepared_folder(out_of(run).cache, spec.data_fingerprint))
    model = Transformer(spec.model)
    load_weights(model, read_weights(weights), weights)
    return OpenModel(run.run_id, model, data.encode, data.decode, data.end_id)


@dataclass(frozen=True)
class StartModel:
    """A model from whose weights a run can start. encode: from text to ids; None for a model without a tokenizer.

    compact: the fingerprint of the data whose compact vocabulary it has, else None.
    """

    spec: ModelSpec
    tensors: dict[str, Tensor]
    encode: Callable[[str], list[int]] | None
    compact: str | None = None


def start_model(name: str, out: Path) -> StartModel:
    """A model by name, as for `open_model`; also a run over a task, which has no text.

    Raises CheckpointError, DataError, PortError or TokenizerError.
    """
    located = locate(name, out)
    if not isinstance(located, RunPaths):
        encode = None if located.tokenizer is None else encoder(located, special=False)
        return StartModel(located.spec, located.tensors, encode)
    weights = weights_of(located, "last")
    spec, tensors = read_spec(located), read_weights(weights)
    if isinstance(spec.data, TaskData):
        return StartModel(spec.model, tensors, None)
    data = load_prepared(prepared_folder(out_of(located).cache, spec.data_fingerprint))
    compact = None if data.manifest["unknown_id"] is None else spec.data_fingerprint
    return StartModel(spec.model, tensors, data.encode, compact)


def open_portable(model: Portable, where: Path) -> OpenModel:
    """A model that was not trained here."""
    return OpenModel(model.name, model.build(where), encoder(model), decoder(model), model.end_id)

"""An imported model's folder under <out>/models.

model.json           its stack, the ids around a text, where it came from, with the hashes of the files
model.safetensors    its weights under our names
tokenizer.json       its tokenizer, if it has one
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors.torch import save_file

from stacklab.base.errors import DataError, PortError
from stacklab.base.files import read_json, write_atomically, write_json, write_text
from stacklab.base.folders import write_folder
from stacklab.data.tokenizer_files import TokenizerFile
from stacklab.model.spec import ModelSpec
from stacklab.run.foreign import TOKENIZER, WEIGHTS
from stacklab.run.portable import Portable
from stacklab.train.checkpoint import read_weights

RECORD = "model.json"
FORMAT = 1


def save_model(model: Portable, folder: Path) -> None:
    """Write the folder, whole or not at all. One that holds the same model is left as it is.

    Raises PortError when another model is there, or the record holds what no JSON can.
    """
    record = {
        "format": FORMAT,
        "model": model.spec.dump(),
        "start_id": model.start_id,
        "end_id": model.end_id,
        "tokenizer": None if model.tokenizer is None else model.tokenizer.hash,
        "origin": model.origin,
    }
    if (folder / RECORD).exists():
        if _record(folder) == record:
            return
        raise PortError(f"{folder}: another model has this name; choose one with --name, or delete the folder")

    def fill(aside: Path) -> None:
        write_atomically(aside / WEIGHTS, lambda temporary: save_file(model.tensors, temporary))
        if model.tokenizer is not None:
            write_text(aside / TOKENIZER, model.tokenizer.text)
        try:
            write_json(aside / RECORD, record)
        except ValueError as error:
            # What a config may hold beside the model: NaN, or half a character.
            raise PortError(f"{folder}: the source's config cannot be kept as JSON ({error}); mend it there") from error

    write_folder(folder, fill)


def load_model(folder: Path) -> Portable:
    """An imported model. Raises DataError or CheckpointError for a folder that is damaged."""
    record = _record(folder)
    try:
        spec = ModelSpec.model_validate(record["model"])
        ids, origin = (record["start_id"], record["end_id"]), record["origin"]
    except (ValidationError, KeyError, TypeError) as error:
        raise DataError(f"{folder / RECORD}: not the record of a model; import it again") from error
    path, tokenizer = folder / TOKENIZER, None
    if path.exists():
        tokenizer = TokenizerFile(str(path), path.read_text(encoding="utf-8"), {})
    return Portable(folder.resolve().name, spec, read_weights(folder / WEIGHTS), tokenizer, *ids, origin)


def _record(folder: Path) -> Any:
    return read_json(folder / RECORD)

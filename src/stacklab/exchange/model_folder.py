"""The folder of an imported model under <out>/models.

model.json           its stack, its start and end ids, its source with hashes of the files
model.safetensors    its weights under our names
tokenizer.json       its tokenizer, if it has one
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt, ValidationError

from stacklab.base.errors import PortError, TokenizerError
from stacklab.base.files import exists, read_json, write_json, write_text
from stacklab.base.folders import write_folder
from stacklab.base.spec import Spec, first_fault
from stacklab.data.tokenizers.files import TokenizerFile
from stacklab.exchange.hf_folder import TOKENIZER, WEIGHTS, inside, read_mapping, read_safetensors, read_tokenizer
from stacklab.exchange.portable import Portable, check_vocabulary
from stacklab.model.port.fields import read_stack
from stacklab.model.port.own import OWN
from stacklab.model.port.registry import import_tensors
from stacklab.model.spec import ModelSpec
from stacklab.train.tensor_file import save_tensors

RECORD = "model.json"
FORMAT = 1


class Origin(Spec):
    """Where a model came from: the name of its format, its original config, and the hashes of its files."""

    form: str = ""
    config: dict[str, Any] | None = None
    files: dict[str, Any] | None = None


class Record(Spec):
    """The content of model.json beside the stack."""

    format: Literal[1]
    start_id: NonNegativeInt | None
    end_id: NonNegativeInt | None
    tokenizer: str | None
    origin: Origin


def save_model(model: Portable, folder: Path) -> None:
    """Write the folder, whole or not at all. A folder with the same model stays as it is.

    Raises PortError when the folder holds another model, or when the record cannot be written as JSON.
    """
    record = {
        "format": FORMAT,
        "model": model.spec.dump(),
        "start_id": model.start_id,
        "end_id": model.end_id,
        "tokenizer": _hash(model.tokenizer),
        "origin": model.origin,
    }
    if exists(folder / RECORD):
        if read_json(folder / RECORD) == record:
            return
        raise PortError(f"{folder}: another model has this name; choose one with --name, or delete the folder")

    def fill(aside: Path) -> None:
        save_tensors(aside / WEIGHTS, model.tensors)
        if model.tokenizer is not None:
            write_text(aside / TOKENIZER, model.tokenizer.text)
        try:
            write_json(aside / RECORD, record)
        except ValueError as error:
            # A config may hold NaN.
            raise PortError(f"{folder}: the source's config cannot be kept as JSON ({error}); mend it there") from error

    write_folder(folder, fill)


def load_model(folder: Path) -> Portable:
    """The imported model in a folder. The folder can come from anywhere, so it is read as strictly as those of other
    programs.

    Raises PortError or DataError for a folder that is damaged, inconsistent or links out of itself, TokenizerError for
    another tokenizer than the one it was imported with.
    """
    path = inside(folder, RECORD)
    content = read_mapping(path)
    spec = read_stack(content.get("model"), f"{path}: model")
    record = _record(path, content, spec)
    tensors = import_tensors(OWN, spec, read_safetensors(inside(folder, WEIGHTS)), where=str(folder))
    tokenizer = _tokenizer(folder, record, spec)
    return Portable(folder.resolve().name, spec, tensors, tokenizer, record.start_id, record.end_id, content["origin"])


def _record(path: Path, content: dict[str, Any], spec: ModelSpec) -> Record:
    try:
        record = Record.model_validate({key: value for key, value in content.items() if key != "model"})
    except ValidationError as error:
        raise PortError(f"{path}: {first_fault(error)}; not the record of a model; import it again") from None
    last = (spec.vocab_size or 0) - 1
    for name, value in (("start_id", record.start_id), ("end_id", record.end_id)):
        if value is not None and value > last:
            raise PortError(f"{path}: {name} is {value}, expected an id of the vocabulary, 0 to {last}")
    return record


def _tokenizer(folder: Path, record: Record, spec: ModelSpec) -> TokenizerFile | None:
    tokenizer = read_tokenizer(folder)
    if _hash(tokenizer) != record.tokenizer:
        state = "is missing" if tokenizer is None else "is not the one the model was imported with"
        raise TokenizerError(
            f"{folder / TOKENIZER}: {state} ({RECORD} says {record.tokenizer or 'none'}); import the model again, with "
            "--tokenizer for another one"
        )
    if tokenizer is not None:
        check_vocabulary(tokenizer, spec)
    return tokenizer


def _hash(tokenizer: TokenizerFile | None) -> str | None:
    """Hash of the tokenizer's text alone: its markers are not kept."""
    return None if tokenizer is None else replace(tokenizer, markers={}).hash

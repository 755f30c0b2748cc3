"""Imports a model of another program into a model folder under <out>/models.

Beside folders of Hugging Face it reads single files: checkpoints of nanoGPT and minGPT, minGPT's JSON, llama2.c's
model.bin.
"""

import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stacklab.base.errors import DataError, PortError, TokenizerError
from stacklab.base.files import exists, open_regular, read_bytes, read_json, read_text, regular
from stacklab.base.text import cut, shown
from stacklab.data.integrity import file_sum
from stacklab.data.tokenizers.files import TokenizerFile, known_end
from stacklab.data.tokenizers.llama2c import read_llama2c_tokenizer
from stacklab.exchange.hf_folder import (
    CONFIG,
    PICKLE_STARTS,
    TOKENIZER,
    ZIP_START,
    at,
    inside,
    read_folder,
    refused_pickle,
)
from stacklab.exchange.model_folder import save_model
from stacklab.exchange.portable import Portable, check_vocabulary
from stacklab.model.port import llama2c, mingpt, nanogpt
from stacklab.model.port.links import Link, to_ours
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import OutPaths

CHECKPOINTS = (".pt", ".pth", ".ckpt")
MINGPT_WEIGHTS = "model.pt"


def read_file(path: Path, *, tokenizer: TokenizerFile | None) -> Portable:
    """The model in a file. Raises PortError for unknown files, and for every pickle except checkpoints of nanoGPT."""
    with open_regular(path) as handle:
        is_pickle = handle.read(len(ZIP_START)).startswith(PICKLE_STARTS)
    if path.suffix in CHECKPOINTS:
        model = read_nanogpt(path)
    elif path.suffix == ".json":
        model = read_mingpt_json(path)
    elif path.suffix == ".bin" and not is_pickle:
        with at(path):
            spec, tensors = llama2c.read(read_bytes(path, most_bytes=None))
        model = _portable(path, "llama2.c", spec, tensors)
        model = replace(model, start_id=llama2c.DELIMITER, end_id=llama2c.DELIMITER)
    elif is_pickle:
        raise refused_pickle(path)
    else:
        raise PortError(f"{path}: not a known model file; docs/neighbours lists the known ones")
    return with_tokenizer(model, tokenizer)


def read_nanogpt(path: Path) -> Portable:
    """The model of a nanoGPT checkpoint, from its `model` and `model_args`."""
    content = load_plain(path)
    model_args, tensors = (content.get(key) if isinstance(content, dict) else None for key in ("model_args", "model"))
    if not isinstance(model_args, dict):
        raise PortError(
            f"{path}: no model_args beside the weights, so it is not a nanoGPT checkpoint and its model is unknown; "
            "write the model as a Hugging Face folder"
        )
    for name, value in model_args.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | None):
            raise PortError(f"{path}: model_args holds {shown(name)} = {shown(value)}, expected names and plain values")
    with at(path):
        spec = nanogpt.read(model_args)
    named = {name.removeprefix(nanogpt.COMPILED): value for name, value in _tensors(path, tensors).items()}
    head = named.pop("lm_head.weight", None)
    ours = _joined(path, nanogpt.links(spec), named, nanogpt.IGNORED)
    if head is not None and not head.equal(ours["token_embedding.weight"]):
        raise PortError(f"{path}: lm_head.weight differs from the token table, to which nanoGPT ties it")
    return _portable(path, "nanogpt", spec, ours, config=model_args)


def read_mingpt_json(path: Path) -> Portable:
    """The model of a minGPT file in JSON."""
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise PortError(f"{path}: not a minGPT model in JSON; expected a mapping with the key config and the tensors")
    with at(path):
        spec = mingpt.read(content["config"])
    tensors = mingpt.tensors(content, where=str(path))
    ours = _joined(path, mingpt.links(spec), tensors, mingpt.IGNORED)
    return _portable(path, "mingpt", spec, ours, config=content["config"])


def read_mingpt_folder(folder: Path, config: Mapping[str, Any]) -> Portable:
    """The model of a folder that minGPT wrote: config.json with the section `model`, and model.pt."""
    path = inside(folder, MINGPT_WEIGHTS)
    with at(folder):
        spec = mingpt.read(config)
    ours = _joined(path, mingpt.links(spec), _tensors(path, load_plain(path)), mingpt.IGNORED)
    return replace(_portable(path, "mingpt", spec, ours, config=config), name=folder.resolve().name)


def load_plain(path: Path) -> Any:
    """The content of a torch checkpoint, read by torch's weights-only reader, which runs no code of the file.

    Raises PortError for an old-style pickle, and for a file with more than tensors and plain values.
    """
    if not zipfile.is_zipfile(path):
        raise refused_pickle(path)
    try:
        return torch.load(regular(path), map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0].split(".")[0]
        raise PortError(
            f"{path}: holds more than tensors and plain values, which is not read since loading it could run code "
            f"({reason}); if you trust it, load it and save only its model and model_args with torch.save"
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PortError(f"{path}: not a complete torch checkpoint ({' '.join(str(error).split())[:200]})") from error


def with_tokenizer(model: Portable, tokenizer: TokenizerFile | None) -> Portable:
    """The model with a tokenizer, and with the tokenizer's usual end token where the model's own files name none.

    Raises TokenizerError for a tokenizer that is not this model's.
    """
    if tokenizer is None:
        return model
    check_vocabulary(tokenizer, model.spec)
    model, loaded = replace(model, tokenizer=tokenizer), tokenizer.load()
    if model.end_id is not None or (end := known_end(loaded)) is None:
        return model
    end_id = loaded.token_to_id(end)
    return replace(model, end_id=end_id, notes=(*model.notes, f"texts end at {end} (id {end_id}) of the tokenizer"))


def _tensors(path: Path, value: Any) -> dict[str, Tensor]:
    if not isinstance(value, dict) or not value:
        raise PortError(f"{path}: expected tensors by name, found a {type(value).__name__}")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise PortError(f"{path}: {shown(name)} is not a dense tensor")
        if tensor.is_meta:
            raise PortError(f"{path}: {shown(name)} has a shape but no values")
        if (held := tensor.untyped_storage().nbytes()) < tensor.numel() * tensor.itemsize:
            # A repeated view can expand one number to billions, and copying it would fill the memory.
            raise PortError(
                f"{path}: {shown(name)} has shape {tuple(tensor.shape)} over {held} bytes, so its numbers repeat; "
                "save it with .contiguous()"
            )
    return value


def _joined(
    path: Path, links: list[Link], tensors: Mapping[str, Tensor], ignored: tuple[str, ...]
) -> dict[str, Tensor]:
    weights = {name: value for name, value in tensors.items() if not name.endswith(ignored)}
    return to_ours(links, weights, where=str(path))


def _portable(
    path: Path, form: str, spec: ModelSpec, tensors: dict[str, Tensor], *, config: Mapping[str, Any] | None = None
) -> Portable:
    kept = {} if config is None else {"config": dict(config)}
    origin = {"form": form, **kept, "files": {path.name: file_sum(path)}}
    return Portable(path.resolve().stem, spec, tensors, None, None, None, origin)


LONGEST_NAME = 200
"""In bytes. Names of folders may have 255, and a folder has a longer name while it is written."""


@dataclass(frozen=True)
class Imported:
    """name: its name for `stacklab generate`, `export` and open_model."""

    name: str
    folder: Path
    model: Portable


def import_model(source: str | Path, *, out: Path, name: str | None = None, tokenizer: Path | None = None) -> Imported:
    """Import a model. source: a folder or a file of another program (docs/neighbours).

    name: name of the new model; None takes the source's. tokenizer: a file that replaces the source's own. Raises
    PortError for a model that cannot be expressed exactly, TokenizerError for a tokenizer of another vocabulary.
    """
    path = Path(source).expanduser()
    model = read_foreign(path, tokenizer=None if tokenizer is None else read_tokenizer_file(tokenizer))
    chosen = name or model.name
    if not re.fullmatch(r"\w[\w.-]*", chosen) or len(chosen.encode()) > LONGEST_NAME:
        raise PortError(
            f"--name {cut(chosen)}: expected letters, digits, dots, dashes and underscores, the first neither a dot "
            f"nor a dash, at most {LONGEST_NAME} bytes"
        )
    if exists(OutPaths(out).run(chosen).spec):
        raise PortError(f"--name {chosen}: is the id of a run in {out}, which it would hide; choose another name")
    folder = OutPaths(out).models / chosen
    save_model(model, folder)
    return Imported(chosen, folder, model)


def read_foreign(path: Path, *, tokenizer: TokenizerFile | None = None) -> Portable:
    """The model at a path, in any known format."""
    if not exists(path):
        raise PortError(f"{path}: no such folder or file")
    if not path.is_dir():
        return read_file(path, tokenizer=tokenizer)
    if not (path / CONFIG).exists():
        files = ", ".join(sorted(each.name for each in path.iterdir() if each.suffix in (*CHECKPOINTS, ".bin")))
        raise PortError(
            f"{path}: no {CONFIG}; expected a model folder as transformers writes it"
            + (f", or name one of its files: {files}" if files else "")
        )
    config = read_json(inside(path, CONFIG))
    if isinstance(config, dict) and "model_type" not in config and isinstance(config.get("model"), dict):
        return with_tokenizer(read_mingpt_folder(path, config["model"]), tokenizer)
    return read_folder(path, tokenizer=tokenizer)


def read_tokenizer_file(path: Path) -> TokenizerFile:
    """A tokenizer.json, the folder of one, or llama2.c's tokenizer.bin. Raises TokenizerError."""
    file = path.expanduser()
    try:
        file = file / TOKENIZER if file.is_dir() else file
        if file.suffix == ".bin":
            return read_llama2c_tokenizer(file)
        tokenizer = TokenizerFile(str(file), read_text(file), {})
    except (OSError, DataError) as error:
        raise TokenizerError(f"{file}: cannot be read ({error}); expected a tokenizer.json") from error
    tokenizer.load()
    return tokenizer

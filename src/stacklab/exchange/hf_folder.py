"""Reads a model folder in the layout of Hugging Face: config.json, safetensors, tokenizer.json, no file outside it."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from stacklab.base.errors import DataError, PortError, TokenizerError
from stacklab.base.files import open_regular, read_json, read_text, regular
from stacklab.base.text import cut, shown
from stacklab.data.integrity import file_sum
from stacklab.data.tokenizers.files import TokenizerFile
from stacklab.exchange.portable import Portable, check_vocabulary
from stacklab.model.port.registry import form_of, import_tensors
from stacklab.model.spec import ModelSpec

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER, GENERATION = "tokenizer.json", "generation_config.json"
LONGEST_SHOWN = 80
ZIP_START = b"PK\x03\x04"
PICKLE_STARTS = (b"\x80", ZIP_START)
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".pickle")


def read_folder(folder: Path, *, tokenizer: TokenizerFile | None = None) -> Portable:
    """The model of a folder as transformers writes it. tokenizer: replaces the folder's own.

    Raises PortError for an unknown architecture or key, an incomplete file, a link that leads out of the folder, or
    weights in a pickle; DataError for invalid JSON; TokenizerError for a tokenizer of another vocabulary.
    """
    config = read_mapping(inside(folder, CONFIG))
    with at(folder):
        form = form_of(config)
        spec = form.read(config)
    files, tensors = read_tensors(folder)
    ours = import_tensors(form, spec, tensors, where=str(folder))
    if tokenizer is None:
        tokenizer = read_tokenizer(folder)
    if tokenizer is not None:
        check_vocabulary(tokenizer, spec)
    generation = read_mapping(inside(folder, GENERATION)) if is_there(folder / GENERATION) else {}
    (start_id, start_notes), (end_id, end_notes) = (
        _marker(key, generation.get(key, config.get(key)), spec, folder) for key in ("bos_token_id", "eos_token_id")
    )
    names = [CONFIG, *files, *(name for name in (TOKENIZER, GENERATION) if is_there(folder / name))]
    origin = {"form": form.name, "config": config, "files": sums(folder, names)}
    return Portable(folder.resolve().name, spec, ours, tokenizer, start_id, end_id, origin, (*start_notes, *end_notes))


def read_tensors(folder: Path) -> tuple[list[str], dict[str, Tensor]]:
    """(files, tensors) of the safetensors in a folder: a single file, or parts with an index."""
    if is_there(folder / WEIGHTS):
        return [WEIGHTS], read_safetensors(inside(folder, WEIGHTS))
    if is_there(folder / INDEX):
        return _read_parts(folder)
    if pickles := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES):
        raise refused_pickle(folder / pickles[0])
    raise PortError(f"{folder}: no {WEIGHTS} and no {INDEX}; expected the weights in one of them")


@contextlib.contextmanager
def at(place: Path) -> Iterator[None]:
    """Put the place of a config in front of errors about it."""
    try:
        yield
    except PortError as error:
        raise PortError(f"{place}: {error}") from error


def is_there(path: Path) -> bool:
    """Whether a path exists, broken links included: a file that was meant to be there is not silently left out."""
    return path.is_symlink() or path.exists()


def refused_pickle(path: Path) -> PortError:
    return PortError(
        f"{path}: a pickle is not read, since loading one can run any code in it; expected safetensors. If you trust "
        "the file, load it with transformers and write it with model.save_pretrained(FOLDER)"
    )


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name. Raises PortError for an incomplete file, or a pickle under this name."""
    try:
        with safe_open(regular(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        if _is_pickle(path):
            raise refused_pickle(path) from None
        raise PortError(f"{path}: not a complete safetensors file ({cut(str(error))})") from error


def _is_pickle(path: Path) -> bool:
    """Whether a file that failed to load as safetensors is a pickle.

    Safetensors start with the length of a header, which may look like the first byte of a pickle.
    """
    try:
        with open_regular(path) as handle:
            start = handle.read(8)
    except OSError:
        return False
    return start.startswith(ZIP_START) or re.match(rb"\x80[\x02-\x05][^\0]", start) is not None


def inside(folder: Path, name: str) -> Path:
    """The path of a file in the folder. Raises PortError for a missing file, and for a name or a link that leads out.

    Folders of the hub's cache keep their files in `blobs` beside `snapshots`; links to there are allowed.
    """
    path, root = folder / name, folder.resolve()
    if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
        raise PortError(f"{folder}: names the file {shown(name)}; expected a plain file name inside the folder")
    try:
        target = path.resolve()
        is_file = target.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        # Names that are too long or cannot be encoded, and circular links.
        raise PortError(f"{folder}: names the file {name[:LONGEST_SHOWN]!r}, which cannot be resolved") from error
    allowed = [root, *([root.parents[1] / "blobs"] if root.parent.name == "snapshots" else [])]
    if target.parent not in allowed:
        raise PortError(f"{path}: is a link to {target}, outside the folder; copy the file into it")
    if not is_file:
        raise PortError(f"{path}: no such file")
    return path


def sums(folder: Path, names: list[str]) -> dict[str, Any]:
    """Size and hash of each file."""
    return {name: file_sum(folder / name) for name in names}


def _read_parts(folder: Path) -> tuple[list[str], dict[str, Tensor]]:
    weight_map = read_mapping(inside(folder, INDEX)).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise PortError(f"{folder / INDEX}: no weight_map from tensors to files")
    tensors: dict[str, Tensor] = {}
    parts = sorted(set(weight_map.values()))
    for part in parts:
        if not part.endswith(".safetensors"):
            raise PortError(f"{folder / INDEX}: names the file {shown(part)}; expected safetensors")
        loaded = read_safetensors(inside(folder, part))
        listed = {name for name, file in weight_map.items() if file == part}
        if differing := sorted(loaded.keys() ^ listed):
            raise PortError(f"{folder / part}: {INDEX} and the file differ in the tensor {cut(differing[0])}")
        tensors |= loaded
    return [INDEX, *parts], tensors


def read_tokenizer(folder: Path) -> TokenizerFile | None:
    """The tokenizer.json of a folder, if it has one. Raises PortError for a link that leads out of the folder,
    TokenizerError for a file that is no text."""
    if not is_there(folder / TOKENIZER):
        return None
    path = inside(folder, TOKENIZER)
    try:
        return TokenizerFile(str(path), read_text(path), {})
    except DataError as error:
        raise TokenizerError(f"{error}; expected a tokenizer.json") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises DataError for invalid JSON, PortError for JSON that is not an object."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise PortError(f"{path}: expected a JSON object, found a {type(value).__name__}")
    return value


def _marker(key: str, value: object, spec: ModelSpec, folder: Path) -> tuple[int | None, tuple[str, ...]]:
    """The id of a start or end marker (the first of several), and notes for the user.

    Raises PortError for a value that is not an id. Many configs keep a default id that their vocabulary lacks; then the
    model has no such marker.
    """
    ids: list[Any] = value if isinstance(value, list) else [] if value is None else [value]
    if any(isinstance(each, bool) or not isinstance(each, int) for each in ids):
        raise PortError(f"{folder}: {key} is {shown(value)}, expected a whole number, a list of them, or null")
    last = (spec.vocab_size or 0) - 1
    if not ids or 0 <= ids[0] <= last:
        return (ids[0] if ids else None), ()
    return None, (f"{key} {shown(ids[0])} is not an id of the vocabulary, 0 to {last}, so the model has none",)

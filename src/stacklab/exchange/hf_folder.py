"""A folder of another program, read strictly: config.json, safetensors, tokenizer.json, and nothing outside it."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from stacklab.base.errors import PortError, TokenizerError
from stacklab.base.files import read_json
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
    """The model of a folder as transformers writes it. tokenizer: in place of the folder's.

    Raises PortError for what is not known, not whole, not confined to the folder, or only there as a pickle;
    DataError for JSON that is none; TokenizerError for a tokenizer of another vocabulary.
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
    told = {key: generation.get(key, config.get(key)) for key in ("bos_token_id", "eos_token_id")}
    (start_id, first), (end_id, second) = (_marker(key, told[key], spec, folder) for key in told)
    names = [CONFIG, *files, *(name for name in (TOKENIZER, GENERATION) if is_there(folder / name))]
    origin = {"form": form.name, "config": config, "files": sums(folder, names)}
    return Portable(folder.resolve().name, spec, ours, tokenizer, start_id, end_id, origin, (*first, *second))


def read_tensors(folder: Path) -> tuple[list[str], dict[str, Tensor]]:
    """(files, tensors) of the safetensors in a folder, whole or in parts with an index."""
    if is_there(folder / WEIGHTS):
        return [WEIGHTS], read_safetensors(inside(folder, WEIGHTS))
    if is_there(folder / INDEX):
        return _read_parts(folder)
    if pickles := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES):
        raise refused_pickle(folder / pickles[0])
    raise PortError(f"{folder}: no {WEIGHTS} and no {INDEX}; expected the weights in one of them")


@contextlib.contextmanager
def at(place: Path) -> Iterator[None]:
    """Errors about a config say where it is."""
    try:
        yield
    except PortError as error:
        raise PortError(f"{place}: {error}") from error


def is_there(path: Path) -> bool:
    """Also for a link that leads nowhere: what was meant to be there is not left out in silence."""
    return path.is_symlink() or path.exists()


def refused_pickle(path: Path) -> PortError:
    return PortError(
        f"{path}: a pickle is not read, since loading one can run any code in it; expected safetensors: where you "
        "trust the file, load it with transformers and write it with model.save_pretrained(FOLDER)"
    )


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Raises PortError for a file that is not whole, or is a pickle under this name."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        if _is_pickle(path):
            raise refused_pickle(path) from None
        raise PortError(f"{path}: not a whole safetensors file ({cut(str(error))})") from error


def _is_pickle(path: Path) -> bool:
    """Of a file that is no whole safetensors; those start with the length of a header, which may look like a pickle's
    first byte."""
    try:
        with path.open("rb") as handle:
            start = handle.read(8)
    except OSError:
        return False
    return start.startswith(ZIP_START) or re.match(rb"\x80[\x02-\x05][^\0]", start) is not None


def inside(folder: Path, name: str) -> Path:
    """The file of that name in the folder. Raises PortError for a name or a link that leads out of it.

    A folder of the hub's cache keeps its files in `blobs` beside `snapshots`; links to there are its own.
    """
    path, root = folder / name, folder.resolve()
    if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
        raise PortError(f"{folder}: names the file {shown(name)}; expected a plain file name inside the folder")
    try:
        target = path.resolve()
        is_file = target.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        # Names too long or not encodable, links in a circle.
        raise PortError(f"{folder}: names the file {name[:LONGEST_SHOWN]!r}, which cannot be looked up") from error
    own = [root, *([root.parents[1] / "blobs"] if root.parent.name == "snapshots" else [])]
    if target.parent not in own:
        raise PortError(f"{path}: is a link to {target}, outside the folder; copy the file into it")
    if not is_file:
        raise PortError(f"{path}: no such file")
    return path


def sums(folder: Path, names: list[str]) -> dict[str, Any]:
    return {name: file_sum(folder / name) for name in names}


def _read_parts(folder: Path) -> tuple[list[str], dict[str, Tensor]]:
    places = read_mapping(inside(folder, INDEX)).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise PortError(f"{folder / INDEX}: no weight_map from tensors to files")
    tensors: dict[str, Tensor] = {}
    parts = sorted(set(places.values()))
    for part in parts:
        if not part.endswith(".safetensors"):
            raise PortError(f"{folder / INDEX}: names the file {shown(part)}; expected safetensors")
        found = read_safetensors(inside(folder, part))
        told = {name for name, place in places.items() if place == part}
        if found.keys() != told:
            odd = sorted(found.keys() ^ told)[0]
            raise PortError(f"{folder / part}: {INDEX} and the file differ in the tensor {cut(odd)}")
        tensors |= found
    return [INDEX, *parts], tensors


def read_tokenizer(folder: Path) -> TokenizerFile | None:
    """The tokenizer.json of a folder, if it has one. Raises PortError for a link that leads out of the folder,
    TokenizerError for text that is not UTF-8."""
    if not is_there(folder / TOKENIZER):
        return None
    path = inside(folder, TOKENIZER)
    try:
        return TokenizerFile(str(path), path.read_text(encoding="utf-8"), {})
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{path}: not a tokenizer file (not UTF-8 at byte {error.start})") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Raises DataError for what is not JSON, PortError for JSON that is no object."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise PortError(f"{path}: expected a JSON object, found a {type(value).__name__}")
    return value


def _marker(key: str, told: object, spec: ModelSpec, folder: Path) -> tuple[int | None, tuple[str, ...]]:
    """The id that a config gives under that key, the first of several, and what is to be said of it.

    Raises PortError for what is no id. One that the vocabulary lacks stands in many configs that were never told it.
    """
    ids: list[Any] = told if isinstance(told, list) else [] if told is None else [told]
    if any(isinstance(each, bool) or not isinstance(each, int) for each in ids):
        raise PortError(f"{folder}: {key} is {shown(told)}, expected a whole number, a list of them, or null")
    last = (spec.vocab_size or 0) - 1
    if not ids or 0 <= ids[0] <= last:
        return (ids[0] if ids else None), ()
    return None, (f"{key} {shown(ids[0])} is no id of the vocabulary, 0 to {last}, so the model has none",)

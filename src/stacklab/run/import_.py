"""A model of another program -> a model folder under <out>/models."""

import re
from dataclasses import dataclass
from pathlib import Path

from stacklab.base.errors import PortError, TokenizerError
from stacklab.data.tokenizer_files import TokenizerFile
from stacklab.run.foreign import CONFIG, PICKLES, TOKENIZER, read_folder, refused_pickle
from stacklab.run.model_folder import save_model
from stacklab.run.paths import OutPaths
from stacklab.run.portable import Portable


@dataclass(frozen=True)
class Imported:
    """name: what `stacklab generate`, `export` and open_model call it."""

    name: str
    folder: Path
    model: Portable


def import_model(source: str | Path, *, out: Path, name: str | None = None, tokenizer: Path | None = None) -> Imported:
    """Bring a model in. source: a folder or a file of another program (docs/neighbours).

    name: of the new model; the source's unless given. tokenizer: a file, in place of the source's own. Raises
    PortError for what cannot be expressed exactly, TokenizerError for a tokenizer of another vocabulary.
    """
    path = Path(source).expanduser()
    found = read_foreign(path, tokenizer=None if tokenizer is None else read_tokenizer_file(tokenizer))
    chosen = name or path.resolve().stem
    if not re.fullmatch(r"[\w-][\w.-]*", chosen):
        raise PortError(f"--name {chosen}: expected letters, digits, dots, dashes and underscores")
    folder = OutPaths(out).models / chosen
    save_model(found, folder)
    return Imported(chosen, folder, found)


def read_foreign(path: Path, *, tokenizer: TokenizerFile | None = None) -> Portable:
    """The model at a path, in whatever form it is there."""
    if not path.exists():
        raise PortError(f"{path}: no such folder or file")
    if path.is_dir():
        if not (path / CONFIG).exists():
            raise PortError(f"{path}: no {CONFIG}; expected a model folder as transformers writes it")
        return read_folder(path, tokenizer=tokenizer)
    if path.suffix in PICKLES:
        raise refused_pickle(path)
    raise PortError(f"{path}: not a model that is known here; docs/neighbours lists those that are")


def read_tokenizer_file(path: Path) -> TokenizerFile:
    """A tokenizer.json, or the folder of one. Raises TokenizerError."""
    file = path.expanduser() / TOKENIZER if path.is_dir() else path.expanduser()
    try:
        found = TokenizerFile(str(file), file.read_text(encoding="utf-8"), {})
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerError(f"{file}: cannot be read ({error}); expected a tokenizer.json") from error
    found.load()
    return found

"""Imports a model of another program into a model folder under <out>/models."""

import re
from dataclasses import dataclass
from pathlib import Path

from stacklab.base.errors import PortError, TokenizerError
from stacklab.base.files import exists, read_json
from stacklab.base.text import cut
from stacklab.data.tokenizers.files import TokenizerFile
from stacklab.data.tokenizers.llama2c import read_llama2c_tokenizer
from stacklab.exchange.checkpoint_files import CHECKPOINTS, read_file, read_mingpt_folder, with_tokenizer
from stacklab.exchange.hf_folder import CONFIG, TOKENIZER, inside, read_folder
from stacklab.exchange.model_folder import save_model
from stacklab.exchange.portable import Portable
from stacklab.run.paths import OutPaths

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
        tokenizer = TokenizerFile(str(file), file.read_text(encoding="utf-8"), {})
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerError(f"{file}: cannot be read ({error}); expected a tokenizer.json") from error
    tokenizer.load()
    return tokenizer

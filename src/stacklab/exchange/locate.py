"""Finds models by name: runs, imported models, folders of other programs."""

from pathlib import Path

from stacklab.base.errors import DataError
from stacklab.base.files import is_file
from stacklab.base.text import cut
from stacklab.exchange.hf_folder import CONFIG
from stacklab.exchange.import_ import read_foreign
from stacklab.exchange.model_folder import RECORD, load_model
from stacklab.exchange.portable import Portable
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.store import Checkpoint, find_run


def locate(name: str, out: Path, *, checkpoint: Checkpoint = "last") -> RunPaths | Portable:
    """The run, imported model or model folder of that name. A path comes before a name, an imported model before a run.

    Raises DataError when nothing has that name, and for the best checkpoint of a model that is no run.
    """
    folder = folder_from_elsewhere(name, out)
    if folder is not None and checkpoint == "best":
        raise DataError(f"{folder}: was not trained here and has one set of weights; leave --checkpoint out")
    if folder is None:
        try:
            return find_run(name, out)
        except DataError as error:
            raise DataError(f"{error}; imported models: {_imported(out)}") from error
    return load_model(folder) if is_file(folder / RECORD) else read_foreign(folder)


def folder_from_elsewhere(name: str, out: Path) -> Path | None:
    """The folder of a model that was not trained here; None for a name that can only be a run's.

    Raises DataError for a file, which must be imported first.
    """
    path, imported = Path(name), OutPaths(out).models / name
    for folder in (path, imported):
        if is_file(folder / RECORD):
            return folder
    if path.suffix and is_file(path):
        raise DataError(f"{path}: is a file; import it with `stacklab import {path}` and use the new name")
    return path if is_file(path / CONFIG) else None


def _imported(out: Path) -> str:
    """Names of the imported models, cut where they are too many."""
    names = sorted(record.parent.name for record in OutPaths(out).models.glob(f"*/{RECORD}"))
    return cut(", ".join(names)) or "none"

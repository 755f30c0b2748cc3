"""From a data spec to prepared data: found in the cache, or built there once."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from stacklab.base.canon import fingerprint
from stacklab.base.files import disk_error
from stacklab.base.locks import exclusive
from stacklab.data.integrity import damage_of
from stacklab.data.pipeline.build import build, given_tokenizer
from stacklab.data.prepared import PreparedData, load_prepared, prepared_folder
from stacklab.data.sources.source import OpenSource, open_source
from stacklab.data.spec import DataSpec, FileTokenizer, HubTokenizer
from stacklab.data.tokenizers.files import TokenizerFile

FORMAT = 1
"""Raised whenever the same spec and source would give other tokens or other files."""


def prepare(spec: DataSpec, *, cache: Path) -> PreparedData:
    """The data of `spec`, built under `cache` unless it is there already, whole and undamaged.

    Two processes may ask at once: one builds, the other waits. Raises DataError and TokenizerError for what cannot be
    used, DiskError when the cache cannot be written.
    """
    opened = open_source(spec)
    given = given_tokenizer(spec)
    described = _without_paths(spec, opened, given)
    key = fingerprint(described)
    folder = prepared_folder(cache, key)
    if damage_of(folder, read_contents=True) is not None:
        head = {"format": FORMAT, "fingerprint": key, "spec": described["spec"], "block_size": spec.block_size}
        try:
            with exclusive(folder.parent / ".locks" / key, what="prepared data", give_up=lambda: False):
                if damage_of(folder, read_contents=True) is not None:
                    _build_aside(folder, spec, opened, given, head)
        except OSError as error:
            raise disk_error(folder, error) from error
    return load_prepared(folder)


def _build_aside(
    folder: Path, spec: DataSpec, opened: OpenSource, given: TokenizerFile | None, head: dict[str, Any]
) -> None:
    """Build beside and rename; what a killed builder left is removed, which the lock makes safe."""
    for leftover in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(leftover, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        aside.chmod(0o755)
        build(aside, spec, opened, given, head)
        if folder.exists():
            shutil.rmtree(folder)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _without_paths(spec: DataSpec, opened: OpenSource, given: TokenizerFile | None) -> dict[str, Any]:
    """What fixes the tokens: a path is replaced by the content found there."""
    plain = spec.dump()
    if not spec.tuning_fraction:
        # Such data, and the probe that their fingerprint draws, are what they were before there were tuning splits.
        del plain["tuning_fraction"]
    plain["source"] = {key: value for key, value in plain["source"].items() if key != "path"} | opened.identity
    if isinstance(spec.tokenizer, HubTokenizer | FileTokenizer):
        assert given is not None
        plain["tokenizer"] = {"hash": given.hash}
    return {"spec": plain, "format": FORMAT}

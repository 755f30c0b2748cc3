"""Stored values with their checksums; integrity of prepared folders: sizes and hashes of files against the manifest."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stacklab.base.canon import SUM, with_sum, without_sum
from stacklab.base.errors import DataError
from stacklab.base.files import open_regular, read_json, write_json


def write_whole(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file with a checksum of its content. Raises DiskError."""
    write_json(path, with_sum(value))


def read_whole(path: Path, *, mend: str) -> Any:
    """The content of such a file, or of one of an earlier version, which has no checksum. Raises DataError, ending in
    `mend`, for a file that was edited or damaged."""
    try:
        return without_sum(read_json(path))
    except ValueError as error:
        raise DataError(f"{path}: damaged or edited, {error}; {mend}") from error


def damage_of(folder: Path, *, read_contents: bool) -> str | None:
    """What is wrong with a folder, or None. Sizes are always checked, hashes of contents on request."""
    try:
        manifest = read_json(folder / "manifest.json")
        if SUM not in manifest:
            return "manifest.json has no checksum"
        without_sum(manifest)
        if manifest["fingerprint"] != folder.name:
            return f"its manifest is of {manifest['fingerprint']}"
        for name, expected in manifest["files"].items():
            path = folder / name
            if path.stat().st_size != expected["bytes"] or (read_contents and file_sum(path) != expected):
                return f"{name} is not as it was written"
    except ValueError as error:
        return f"manifest.json: {error}"
    except (DataError, OSError, KeyError, TypeError, AttributeError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest with a checksum of its own, so that a changed number is noticed as well as a changed token."""
    write_whole(folder / "manifest.json", manifest)


def file_sum(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file."""
    with open_regular(path) as handle:
        return {"bytes": os.fstat(handle.fileno()).st_size, "sha256": hashlib.file_digest(handle, "sha256").hexdigest()}

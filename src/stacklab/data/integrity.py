"""Integrity of prepared folders: sizes and hashes of files against the manifest."""

import hashlib
import os
from pathlib import Path
from typing import Any

from stacklab.base.canon import fingerprint
from stacklab.base.errors import DataError
from stacklab.base.files import open_regular, read_json, write_json


def damage_of(folder: Path, *, read_contents: bool) -> str | None:
    """What is wrong with a folder, or None. Sizes are always checked, hashes of contents on request."""
    try:
        manifest = read_json(folder / "manifest.json")
        if manifest.pop("sum") != fingerprint(manifest):
            return "manifest.json is not as it was written"
        if manifest["fingerprint"] != folder.name:
            return f"its manifest is of {manifest['fingerprint']}"
        for name, expected in manifest["files"].items():
            path = folder / name
            if path.stat().st_size != expected["bytes"] or (read_contents and file_sum(path) != expected):
                return f"{name} is not as it was written"
    except (DataError, OSError, KeyError, TypeError, AttributeError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest with a checksum of its own, so that a changed number is noticed as well as a changed token."""
    write_json(folder / "manifest.json", manifest | {"sum": fingerprint(manifest)})


def file_sum(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file."""
    with open_regular(path) as handle:
        return {"bytes": os.fstat(handle.fileno()).st_size, "sha256": hashlib.file_digest(handle, "sha256").hexdigest()}

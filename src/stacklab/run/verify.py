"""Whether a run folder is as its run left it, and whether anybody can have seen results of it. No torch here.

A result holds hashes of the spec, the logs, the final weights and its own values. They show a folder that was copied
over another or edited; whoever writes new hashes as well is not stopped by a file.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stacklab.base.canon import SUM, fingerprint, short_hash
from stacklab.base.errors import CheckpointError, DataError
from stacklab.base.files import open_regular, read_json, read_jsonl
from stacklab.run.paths import RunPaths
from stacklab.run.store import read_spec
from stacklab.train.checkpoint_metadata import read_metadata

HASHES = "hashes"
"""Key of the hashes in result.json; results of earlier versions have none."""


def hashes(paths: RunPaths, result: Mapping[str, Any]) -> dict[str, str]:
    """The hashes that a result holds, 16 hex digits each: spec (the run id), metrics.jsonl, evals.jsonl, weights: the
    checksum in the file of the final weights, and values: everything else in the result, with the hash of the batches.
    """
    values = {name: value for name, value in result.items() if name != HASHES}
    return {
        "spec": paths.run_id,
        "metrics": file_hash(paths.metrics),
        "evals": file_hash(paths.evals),
        "weights": read_metadata(paths.weights).get(SUM, ""),
        "values": fingerprint(values),
    }


def logged(path: Path, *needed: str) -> list[dict[str, Any]]:
    """The rows of a log of a run, each with its step and the numbers `needed`; empty without the file.

    Raises DataError naming the line that lacks one, or a file that cannot be read.
    """
    rows = read_jsonl(path) if path.exists() else []
    for number, row in enumerate(rows, start=1):
        for name in ("step", *needed):
            value = row.get(name)
            if isinstance(value, bool) or not isinstance(value, int if name == "step" else int | float):
                raise DataError(f"{path}:{number}: has no number {name}; the file was edited or is damaged")
    return rows


def alteration(paths: RunPaths, result: Mapping[str, Any]) -> str:
    """Why the folder is not as its run left it; empty if it is, as far as its result has hashes.

    A spec of another run is noticed in folders of every version.
    """
    held = result.get(HASHES)
    if held is not None and not isinstance(held, dict):
        return "result.json was edited"
    if held is not None and held.get("spec") != paths.run_id:
        return f"result.json is that of run {held.get('spec')}"
    if paths.spec.exists():
        if problem := _foreign_spec(paths):
            return problem
    elif held is not None:
        return "spec.json is missing"
    if held is None:
        return ""
    try:
        current = hashes(paths, result)
    except ValueError:  # no result of ours has a value that is not finite
        return "result.json was edited"
    if held.get("values") != current["values"]:
        return "result.json was edited"
    for name in ("metrics", "evals"):
        if held.get(name) != current[name]:
            return f"{name}.jsonl is not the one that its result was made of"
    # Weights may be deleted to save space, and earlier versions did not hash them.
    if held.get("weights", current["weights"]) != current["weights"] and paths.weights.exists():
        return "model.safetensors holds other weights than the run saved"
    return ""


def evaluated(paths: RunPaths) -> bool:
    """Whether results of the run can have been seen: it has ended, or an evaluation after step 0 was written.
    A log that is damaged counts as one with results."""
    if paths.result.exists():
        return True
    try:
        return any(row["step"] > 0 for row in logged(paths.evals))
    except DataError:
        # It held evaluations once.
        return True


def last_evaluated(paths: RunPaths) -> float | None:
    """When the run last wrote an evaluation, in seconds since 1970; its result if it has no evaluations. None for a run
    of which no results can have been seen."""
    if not evaluated(paths):
        return None
    return (paths.evals if paths.evals.exists() else paths.result).stat().st_mtime


def file_hash(path: Path) -> str:
    """The first 16 hex digits of the SHA-256 of a file; empty for a file that does not exist."""
    if not path.exists():
        return ""
    with open_regular(path) as handle:
        return short_hash(hashlib.file_digest(handle, "sha256"))


def _foreign_spec(paths: RunPaths) -> str:
    # The dump of a spec has the run id as its fingerprint; validating it is slower and only needed where it differs.
    try:
        if fingerprint(read_json(paths.spec)) == paths.run_id:
            return ""
        read_spec(paths)
    except ValueError:
        return "spec.json was edited"
    except CheckpointError as error:
        return str(error).removeprefix(f"{paths.spec}: ").replace("is the spec", "spec.json is the spec")
    return ""

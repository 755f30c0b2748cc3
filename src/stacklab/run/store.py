"""Creates, reads and finds run folders. No torch here."""

import contextlib
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from stacklab.base.errors import CheckpointError, DataError
from stacklab.base.files import is_file, read_json, read_jsonl, read_record, write_json
from stacklab.base.spec import first_fault
from stacklab.base.text import shown
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.spec import RunSpec
from stacklab.train.checkpoint_metadata import RUN_ID, check_world_size, read_metadata

Checkpoint = Literal["last", "best"]
"""Which weights of a run: the final ones, or those of its best evaluation."""


def create_run(spec: RunSpec, paths: RunPaths) -> None:
    """Create the run's folder with its spec; an existing one stays as it is."""
    if not paths.spec.exists():
        write_json(paths.spec, spec.dump())


def check_folder(paths: RunPaths) -> None:
    """Raises DataError where the run's folder is something else, such as a file or a link that leads nowhere; OSError
    where that cannot be known."""
    if (paths.folder.is_symlink() or paths.folder.exists()) and not paths.folder.is_dir():
        raise DataError(f"{paths.folder}: not a folder; delete it, and `stacklab run` trains the run anew")


def read_status(paths: RunPaths) -> str:
    """How the run has ended. Raises DataError for a file that is no result."""
    status = read_record(paths.result).get("status")
    if not isinstance(status, str):
        raise DataError(f"{paths.result}: has no status; the file was edited or is damaged")
    return status


def forget_failure(paths: RunPaths) -> None:
    """Remove the record of a failure, so that only the present attempt can leave one."""
    with contextlib.suppress(OSError):
        paths.error.unlink(missing_ok=True)


def read_spec(paths: RunPaths) -> RunSpec:
    """The spec of a run folder. Raises CheckpointError when it does not match the folder's name."""
    try:
        spec = RunSpec.model_validate(read_json(paths.spec))
    except ValidationError as error:
        raise CheckpointError(
            f"{paths.spec}: not the spec of a run ({first_fault(error)}); delete the folder, and `stacklab run` trains "
            "the run anew"
        ) from error
    if spec.run_id != paths.run_id:
        raise CheckpointError(f"{paths.spec}: is the spec of run {spec.run_id}, not of {paths.run_id}")
    return spec


def weights_of(paths: RunPaths, checkpoint: Checkpoint) -> Path:
    """The file of the final weights, or of those of the best evaluation so far. Raises DataError without one,
    CheckpointError for weights of another run."""
    if checkpoint == "best":
        bests = paths.bests
        if not bests:
            raise DataError(
                f"{paths.folder}: has kept no best weights; runs trained with train.keep_best=true keep them"
            )
        weights = bests[max(bests)]
    else:
        weights = paths.weights
        if not weights.exists():
            raise DataError(f"{paths.folder}: has no final weights yet; `stacklab status` shows its progress")
    if (owner := read_metadata(weights).get(RUN_ID, paths.run_id)) != paths.run_id:
        raise CheckpointError(f"{weights}: has the weights of run {owner}, not of {paths.run_id}")
    return weights


def best_text(paths: RunPaths) -> str:
    """Which evaluation the best weights are of: "step 1,500 of 5,000, validation.loss 1.4712". Raises DataError where
    there are none."""
    spec, step = read_spec(paths), int(weights_of(paths, "best").stem.removeprefix("best-"))
    name = f"{spec.evaluate.split}.loss"
    losses = [row[name] for row in read_jsonl(paths.evals) if row["step"] == step]
    return f"step {step:,} of {spec.train.steps:,}" + "".join(f", {name} {loss:.4f}" for loss in losses[:1])


def check_resumable(paths: RunPaths, *, ranks: int) -> None:
    """Raises CheckpointError for a run that began on another number of ranks."""
    if paths.checkpoint.exists():
        check_world_size(paths.checkpoint, read_metadata(paths.checkpoint), ranks)


def find_run(name: str, out: Path) -> RunPaths:
    """The run folder by path, id, or the start of an id. Raises DataError when none or several match."""
    if is_file(Path(name) / "spec.json"):
        return RunPaths(Path(name).resolve())
    matches = sorted(
        path.parent for path in OutPaths(out).runs.glob("*/spec.json") if path.parent.name.startswith(name)
    )
    if len(matches) != 1:
        names = ", ".join(path.name for path in matches[:5]) or "none"
        raise DataError(f"{out / 'runs'}: expected one run that starts with {shown(name)}, found {names}")
    return RunPaths(matches[0].resolve())

"""Run folders by their spec. No torch here."""

from pydantic import ValidationError

from stacklab.base.errors import CheckpointError
from stacklab.base.files import read_json, write_json
from stacklab.run.paths import RunPaths
from stacklab.run.spec import RunSpec


def create_run(spec: RunSpec, paths: RunPaths) -> None:
    """Make the run's folder with its spec; an existing one is left alone."""
    if not paths.spec.exists():
        write_json(paths.spec, spec.dump())


def read_spec(paths: RunPaths) -> RunSpec:
    """The spec of a run folder. Raises CheckpointError when it is not the one that the folder's name says."""
    try:
        spec = RunSpec.model_validate(read_json(paths.spec))
    except ValidationError as error:
        raise CheckpointError(f"{paths.spec}: not a run's spec ({error.error_count()} errors)") from error
    if spec.run_id != paths.run_id:
        raise CheckpointError(f"{paths.spec}: is the spec of run {spec.run_id}, not of {paths.run_id}")
    return spec

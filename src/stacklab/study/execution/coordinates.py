"""The coordinate check of a study: its base at several sizes."""

from collections.abc import Callable, Mapping
from pathlib import Path

from stacklab.base.errors import SpecError
from stacklab.run.coordinates import Knob, Sweep, variants
from stacklab.run.paths import OutPaths
from stacklab.run.resolve_data import resolve_data
from stacklab.study.engines.machine import cores
from stacklab.study.planning.arms import check_context, with_data
from stacklab.study.spec.checks import check_seeds
from stacklab.study.spec.study import StudySpec

Sizes = Mapping[Knob, tuple[int, ...]]
"""Knob -> its values, at which the base is trained."""


def check_coordinates(
    study: StudySpec,
    sizes: Sizes,
    *,
    seeds: tuple[int, ...],
    steps: int,
    out: Path,
    tell: Callable[[str], None],
) -> list[Sweep]:
    """Prepare the data, then train the base's stack for `steps` steps at every size, on all cores.

    tell: called with a line on every stack before it is trained. Raises SpecError for invalid sizes, before anything is
    trained; DataError and TokenizerError for unusable data.
    """
    try:
        check_seeds(seeds)
    except ValueError as error:
        raise SpecError(f"--seeds: {error}") from error
    for knob, values in sizes.items():
        variants(study.base.model, knob, values)
    check_context("the base", study.base)
    data = resolve_data(study.base.data, cache=OutPaths(out).cache, ask=False)
    base = with_data(study.base, data)
    spec = base.as_run(data.fingerprint, seed=seeds[0])
    from stacklab.run.coordinate_check import check
    from stacklab.run.environment import prepare_process

    prepare_process(cores())
    return [check(spec, out, knob=knob, values=sizes[knob], seeds=seeds, steps=steps, tell=tell) for knob in sizes]

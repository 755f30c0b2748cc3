"""References of the user to a run, or to an arm of a study, planned or already run."""

from pathlib import Path
from typing import NamedTuple

from stacklab.base.errors import DataError
from stacklab.run.paths import OutPaths, out_of
from stacklab.run.store import find_run, read_spec
from stacklab.study.planning.plan import Plan, load_plan, make_plan
from stacklab.study.results.collect import Row, collect, run_row
from stacklab.study.results.tuning import with_tuned
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest
from stacklab.study.spec.study import BaseSpec


class Subject(NamedTuple):
    """A configuration with its runs. data_fingerprint: of the prepared data."""

    name: str
    config: BaseSpec
    data_fingerprint: str
    rows: list[Row]
    out: Path


def find_subject(reference: str, *, scale: str, out: Path) -> Subject:
    """`STUDY/ARM`, or a run by id, the start of an id, or folder.

    STUDY is the name of a folder in <out>/studies (`depth-laptop`), a study's folder, a built-in study, or a study
    file; the last two at `scale`. Raises SpecError or DataError for what is none of these.
    """
    study, slash, arm = reference.rpartition("/")
    if not slash or (Path(reference) / "spec.json").is_file():
        return _run(reference, out)
    return _arm(_plan(study, scale=scale, out=out), arm, reference=reference, out=out)


def _run(name: str, out: Path) -> Subject:
    paths = find_run(name, out)
    spec = read_spec(paths)
    config = BaseSpec.of_run(spec)
    row = run_row(paths.run_id, spec.seed, paths)
    return Subject(f"run {paths.run_id}", config, spec.data_fingerprint, [row], out_of(paths).root)


def _plan(study: str, *, scale: str, out: Path) -> Plan:
    for folder in (Path(study), OutPaths(out).studies / study):
        if (folder / "plan.json").is_file():
            return with_tuned(load_plan(folder), out)
    return make_plan(read_study(study, scale=scale), StudyRequest(scale=scale, out=out))


def _arm(plan: Plan, name: str, *, reference: str, out: Path) -> Subject:
    names = [arm.name for arm in plan.arms]
    if name not in names:
        raise DataError(f"{reference}: scale {plan.scale} has no arm {name!r}; it has {', '.join(names)}")
    rows = [row for row in collect(plan, out) if row.arm == name]
    return Subject(reference, plan.arm(name).config, plan.arm(name).data_fingerprint, rows, out)

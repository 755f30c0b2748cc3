"""Seeds stay those of the first run: chosen after results, they would let chance decide."""

from collections.abc import Iterator
from pathlib import Path

from stacklab.base.errors import DataError, SpecError
from stacklab.run.paths import OutPaths
from stacklab.run.verify import evaluated
from stacklab.study.planning.plan import Plan, load_plan
from stacklab.study.spec.request import StudyRequest


def check_seeds_kept(plan: Plan, request: StudyRequest) -> None:
    """Raises SpecError for other seeds than those under which this study, with the same settings, has been evaluated.

    `--seeds` has a study folder of its own, so the folders of all seeds are compared.
    """
    seeds = request.seeds or plan.study.scales[plan.scale].seeds
    for saved in _same_but_for_seeds(plan, request):
        first = _first_seeds(saved)
        if first != seeds and any(evaluated(OutPaths(request.out).run(run.spec.run_id)) for run in saved.runs()):
            raise SpecError(
                f"seeds {_listed(seeds)}: results with seeds {_listed(first)} exist in {saved.folder(request.out)}, "
                "and seeds chosen after results do not keep the level; declare looks before the first run (--looks, "
                "then --more-seeds), or begin anew with another --out or another name of the study"
            )


def _same_but_for_seeds(plan: Plan, request: StudyRequest) -> Iterator[Plan]:
    """The saved plans of this study and scale whose request differs at most in its seeds."""
    for path in sorted(plan.folder(request.out).parent.glob(f"{plan.study.name}-{plan.scale}*/plan.json")):
        saved = _readable(path.parent)
        if saved is None or (saved.study.name, saved.scale) != (plan.study.name, plan.scale):
            continue
        requests = (request.model_copy(update={"seeds": seeds}) for seeds in (None, _first_seeds(saved)))
        if saved.variant in [one.variant for one in requests]:
            yield saved


def _readable(folder: Path) -> Plan | None:
    """None for a plan of another version, which does not hinder this one."""
    try:
        return load_plan(folder)
    except DataError:
        return None


def _first_seeds(plan: Plan) -> tuple[int, ...]:
    """The seeds of the first look, of which later ones have a multiple."""
    return plan.seeds[: len(plan.seeds) // plan.look]


def _listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))

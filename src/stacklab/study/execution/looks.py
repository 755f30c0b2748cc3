"""Looks at the results with more seeds: their number is declared before the first run, and they share the level."""

from itertools import count, islice
from pathlib import Path

from stacklab.base.errors import SpecError
from stacklab.stats.multiplicity import look_level
from stacklab.study.planning.plan import Plan, load_plan, study_folder
from stacklab.study.results.collect import collect
from stacklab.study.results.tuning import with_tuned
from stacklab.study.spec.checks import check_seeds
from stacklab.study.spec.request import StudyRequest


def saved_plan(name: str, request: StudyRequest) -> Plan | None:
    """The saved plan of the study `name`, if it was run before as requested."""
    folder = study_folder(name, request)
    return load_plan(folder) if (folder / "plan.json").is_file() else None


def declared_looks(saved: Plan | None, requested: int | None) -> int:
    """The number of looks of the study's first run, else the requested one, else 1.

    Raises SpecError when another number is requested after the first run.
    """
    if saved is None:
        return requested or 1
    if requested not in (None, saved.looks):
        raise SpecError(
            f"--looks {requested}: this study was first run with {saved.looks}, and how often results are looked at is "
            "declared before the first run"
        )
    return saved.looks


def more_seeds(plan: Plan, number: int, out: Path) -> tuple[int, ...]:
    """The plan's seeds and `number` new ones, for the next look.

    Every look adds as many seeds as the first had: a number chosen after seeing results would not keep the level
    (docs/statistics.md). Raises SpecError for another number, when the present look is not finished, and when the
    declared looks are used up.
    """
    each = len(plan.seeds) // plan.look
    if number != each:
        raise SpecError(
            f"--more-seeds {number}: every look adds {each}, as many seeds as the first had; a number chosen after "
            "seeing results would not keep the level"
        )
    rows = collect(with_tuned(plan, out), out)
    open_runs = sum(row.status in ("unfinished", "missing") for row in rows)
    if open_runs:
        raise SpecError(
            f"--more-seeds: {open_runs} runs of look {plan.look} of {plan.looks} are not finished; run the study "
            "without --more-seeds first"
        )
    for claim in plan.study.claims:
        look_level(claim.level, plan.look + 1, plan.looks)
    taken = plan.tuning.seeds if plan.tuning else ()
    free = (seed for seed in count(max(plan.seeds) + 1) if seed not in taken)
    return check_seeds((*plan.seeds, *islice(free, number)))

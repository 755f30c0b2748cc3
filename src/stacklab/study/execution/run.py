"""Run a plan: make the run folders, hand the unfinished ones to an engine, read the results.

A look at the results with more seeds is another such run. The number of looks is declared before the first run, and
they share the level.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError, SpecError
from stacklab.base.locks import exclusive
from stacklab.run.paths import OutPaths
from stacklab.run.store import create_run, forget_failure
from stacklab.run.timing.cost import DeviceFacts
from stacklab.run.verify import evaluated
from stacklab.stats.multiplicity import look_level
from stacklab.study.planning.attention_cost import attention_costs
from stacklab.study.planning.device import check_begun
from stacklab.study.planning.plan import Plan, PlannedRun, load_plan, save_plan, study_folder
from stacklab.study.results.collect import UNUSABLE, collect, run_row
from stacklab.study.results.ledger.changes import listed
from stacklab.study.results.ledger.elsewhere import note_output
from stacklab.study.results.ledger.entry import read_ledger
from stacklab.study.results.ledger.write import enter, enter_verdicts
from stacklab.study.results.results import StudyResult, read_results
from stacklab.study.results.stages import NEEDED
from stacklab.study.results.tuning import with_tuned
from stacklab.study.spec.checks import check_seeds
from stacklab.study.spec.request import StudyRequest

Todo = dict[Path, tuple[str, int]]
"""Run folder -> the label and the seed of its run, most expensive first."""


def run_plan(plan: Plan, out: Path, facts: Mapping[str, DeviceFacts], *, start: Callable[[Todo], Any]) -> StudyResult:
    """Run what is not finished yet, stage by stage, and return the whole study's result.

    facts: those of `device_facts`. `start` gets the runs of a stage.

    Raises BusyError when another command runs the same study, CheckpointError for a run that began in another number
    format.
    """
    folder = plan.folder(out)
    with exclusive(folder, what=f"study {plan.study.name} at scale {plan.scale}"):
        save_plan(plan, folder)
        note_output(out)
        enter(plan, out)
        for needed in NEEDED.values():
            runs = needed(plan, out).runs()
            check_begun(runs, facts, out)
            _run(runs, out, start)
        result = read_results(plan, out)
        enter_verdicts(plan, out, result.claims, rows=result.rows)
        return replace(result, ledger=read_ledger(folder))


def _run(runs: list[PlannedRun], out: Path, start: Callable[[Todo], Any]) -> None:
    """Make the folders, one for arms that share a run, and start the runs that are not finished.

    Damaged folders cost no other run: they are left as they are, for `collect` to name.
    """
    todo: Todo = {}
    for arm, seed, spec in runs:
        run = OutPaths(out).run(spec.run_id)
        if run_row(arm.name, seed, run).status in UNUSABLE:
            continue
        create_run(spec, run)
        if not run.result.exists():
            forget_failure(run)
            todo.setdefault(run.folder, (arm.label, seed))
    if todo:
        start(todo)


def with_attention(plan: Plan, out: Path, *, threads: int) -> Plan:
    """The plan with the time of attention in its arms, for a study with a trend; any other plan unchanged."""
    if plan.study.trend is None:
        return plan
    arms = {arm.name: arm for arm in plan.arms}
    return plan.model_copy(update={"attention": attention_costs(arms, out, threads=threads)})


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


def check_seeds_kept(plan: Plan, request: StudyRequest) -> None:
    """Raises SpecError for other seeds than those under which this study, with the same settings, has been evaluated.

    `--seeds` has a study folder of its own, so the folders of all seeds are compared. A study without claims has no
    level to keep.
    """
    if not plan.study.claims:
        return
    seeds = request.seeds or plan.study.scales[plan.scale].seeds
    for saved in _same_but_for_seeds(plan, request):
        first = _first_seeds(saved)
        if first != seeds and any(evaluated(OutPaths(request.out).run(run.spec.run_id)) for run in saved.runs()):
            raise SpecError(
                f"seeds {listed(seeds)}: results with seeds {listed(first)} exist in {saved.folder(request.out)}, "
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

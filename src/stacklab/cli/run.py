"""`stacklab run`"""

from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.cli.options import results_console
from stacklab.cli.request import with_request

if TYPE_CHECKING:
    from stacklab.study.results.results import StudyResult
    from stacklab.study.spec.request import StudyRequest

MoreSeeds = Annotated[
    int | None,
    typer.Option("--more-seeds", min=1, help="Go on to the next declared look, with this many more seeds than before."),
]


@with_request()
def run(study: str, request: "StudyRequest", more_seeds: MoreSeeds = None) -> None:
    """Train all runs that are not trained yet, then print the verdicts and write the report.

    Finished runs are skipped, stopped ones resume from their last checkpoint. Ctrl-C stops cleanly.
    """
    from stacklab.api import requested_study, run_study
    from stacklab.cli.plan_tables import data_warnings
    from stacklab.report.pages.terminal import verdict_table
    from stacklab.report.pages.write import write_report
    from stacklab.study.planning.device import check_room, device_facts
    from stacklab.study.planning.stages import count_runs
    from stacklab.study.spec.request import requested_engine

    plan = requested_study(study, request).plan(more=more_seeds)
    slots = requested_engine(request, plan.study.base.train).slots(count_runs(plan))
    facts = device_facts(plan, request.out)
    check_room(plan, request, facts, workers=slots)
    console = results_console()
    for warning in data_warnings(plan):
        console.print(warning)
    result = run_study(plan, request, facts)
    paths = write_report(result)
    console.print(verdict_table(result))
    console.print(f"report: {paths.html}", soft_wrap=True, highlight=False)
    _check_ends(result)


def _check_ends(result: "StudyResult") -> None:
    """Raises RunsFailedError for a failed run, a run folder that was altered, and an arm without a best learning rate
    because runs are missing."""
    from stacklab.base.errors import RunsFailedError

    rows = (*result.rows, *result.retried)
    if altered := [row for row in rows if row.status == "altered"]:
        first = altered[0]
        raise RunsFailedError(
            f"{len(altered)} of {len(rows)} run folders were copied or edited, the first: {first.arm} seed "
            f"{first.seed}: {first.reason}; delete runs/{first.run_id}, and the same command trains it again"
        )
    failed = [row for row in rows if row.status == "failed"]
    if failed:
        first = failed[0]
        raise RunsFailedError(
            f"{len(failed)} of {len(rows)} runs failed, the first: {first.arm} seed {first.seed}: {first.reason}"
        )
    if lost := [tuned for tuned in result.tuning if tuned.chosen is None and any(at.missing for at in tuned.points)]:
        raise RunsFailedError(f"no arm was trained at its own best rate; the first, {lost[0].arm}: {lost[0].reason}")

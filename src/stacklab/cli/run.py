"""`stacklab run` and `stacklab train`"""

from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.cli.options import DEFAULT_OUT, Out, Overrides, results_console
from stacklab.cli.request import DEVICE_NAMES, OPTIONS, parse_request, with_request

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
    from stacklab.report.pages.terminal import verdict_table
    from stacklab.report.pages.write import write_report

    result = _trained(study, request, more_seeds=more_seeds)
    paths = write_report(result)
    console = results_console()
    console.print(verdict_table(result))
    console.print(f"report: {paths.html}", soft_wrap=True)
    _check_ends(result)


def train(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A .yaml file of one run: data and model; train, evaluate and sample if need be."
        ),
    ],
    overrides: Overrides = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Default: the file's seed, else 1.")] = None,
    device: Annotated[DEVICE_NAMES, OPTIONS["device"].info] = None,
    gpus_per_run: Annotated[int, OPTIONS["gpus_per_run"].info] = 1,
    out: Out = DEFAULT_OUT,
) -> None:
    """Train one run, without claims, and write its report. A stopped run resumes, a finished one is not repeated."""
    from stacklab.base.errors import SpecError
    from stacklab.base.yamlfile import load_yaml
    from stacklab.report.pages.write import write_report
    from stacklab.study.spec.load import RUN, find_study, is_run

    path = find_study(file)
    if not is_run(load_yaml(path)[0]):
        raise SpecError(f"{path}: is no file of one run, which has data and model; `stacklab run {file}` runs a study")
    request = parse_request(
        {
            "scale": RUN,
            "overrides": overrides,
            "seeds": None if seed is None else f"{seed},",
            "device": device,
            "gpus_per_run": gpus_per_run,
            "out": out,
        }
    )
    result = _trained(file, request)
    paths = write_report(result)
    console = results_console()
    console.print(result.summary)
    console.print(f"report: {paths.html}", soft_wrap=True)
    _check_ends(result)


def _trained(study: str, request: "StudyRequest", *, more_seeds: int | None = None) -> "StudyResult":
    """The study with all runs of the request trained, once they fit the machine."""
    from stacklab.api import requested_study, run_study
    from stacklab.cli.plan_tables import data_warnings
    from stacklab.study.planning.device import check_room, device_facts
    from stacklab.study.planning.stages import count_runs
    from stacklab.study.spec.request import requested_engine

    plan = requested_study(study, request).plan(more=more_seeds)
    slots = requested_engine(request, plan.study.base.train).slots(count_runs(plan))
    facts = device_facts(plan, request.out)
    check_room(plan, request, facts, workers=slots)
    for warning in data_warnings(plan):
        results_console().print(warning)
    return run_study(plan, request, facts)


def _check_ends(result: "StudyResult") -> None:
    """Raises RunsFailedError for a failed run, a run folder that was altered or damaged, and an arm without a best
    learning rate because runs are missing."""
    from stacklab.base.errors import RunsFailedError
    from stacklab.study.results.collect import UNUSABLE

    rows = (*result.rows, *result.retried)
    if unusable := [row for row in rows if row.status in UNUSABLE]:
        first = unusable[0]
        raise RunsFailedError(
            f"{len(unusable)} of {len(rows)} run folders are damaged, copied or edited, the first: {first.arm} seed "
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

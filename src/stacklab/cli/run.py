"""`stacklab run`"""

from typing import Annotated, Literal

import typer

from stacklab.cli.options import (
    DEFAULT_OUT,
    DEFAULT_SCALE,
    LearningRates,
    Out,
    Overrides,
    RetryRates,
    Scale,
    Seeds,
    StudyName,
    TuningSeeds,
    WeightDecays,
    parse_retry,
    parse_seeds,
    parse_tuning,
    results_console,
)

Engine = Annotated[
    Literal["processes", "replicas", "inline"],
    typer.Option(
        "--engine",
        "-e",
        help="processes: one process per run, several at once. replicas: the same, but small runs of equal shape over "
        "tasks share one. inline: one by one, in this one.",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", "-w", min=1, help="Processes at once. Default: the number of cores.")
]
Looks = Annotated[
    int | None,
    typer.Option(
        "--looks",
        min=1,
        help="Declare before the first run how often results may be looked at, with more seeds each time; every look "
        "is judged at its share of the level. Default: 1.",
    ),
]
MoreSeeds = Annotated[
    int | None,
    typer.Option("--more-seeds", min=1, help="Go on to the next declared look, with so many more seeds than before."),
]


def run(
    study: StudyName,
    overrides: Overrides = None,
    scale: Scale = DEFAULT_SCALE,
    seeds: Seeds = None,
    looks: Looks = None,
    more_seeds: MoreSeeds = None,
    learning_rates: LearningRates = None,
    weight_decays: WeightDecays = None,
    tuning_seeds: TuningSeeds = None,
    retry_rates: RetryRates = None,
    engine: Engine = "processes",
    workers: Workers = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Train what is not trained yet, then print the verdicts and write the report.

    Runs that are finished are skipped, stopped ones resume from their last checkpoint. Ctrl-C stops cleanly.
    """
    import psutil

    from stacklab.api import load_study, run_study
    from stacklab.base.errors import RunsFailedError
    from stacklab.report.pages.terminal import verdict_table
    from stacklab.report.pages.write import write_report
    from stacklab.study.engines.registry import worker_count
    from stacklab.study.planning.fit import check_fits, free_disk
    from stacklab.study.planning.tuning import count_runs

    chosen = load_study(
        study,
        scale=scale,
        overrides=overrides or (),
        seeds=parse_seeds(seeds),
        out=out,
        looks=looks,
        tuning=parse_tuning(learning_rates, weight_decays, tuning_seeds),
        retry=parse_retry(retry_rates),
    )
    plan = chosen.plan(more=more_seeds, workers=1 if engine == "inline" else workers)
    slots = worker_count(workers, runs=count_runs(plan)) if engine != "inline" else 1
    check_fits(plan, workers=slots, available=psutil.virtual_memory().available, free=free_disk(out))
    result = run_study(plan, out, engine=engine, workers=workers)
    paths = write_report(result)
    console = results_console()
    console.print(verdict_table(result))
    console.print(f"report: {paths.html}", soft_wrap=True, highlight=False)
    rows = (*result.rows, *result.retried)
    failed = [row for row in rows if row.status == "failed"]
    if failed:
        first = failed[0]
        raise RunsFailedError(
            f"{len(failed)} of {len(rows)} runs failed, the first: {first.arm} seed {first.seed}: {first.reason}"
        )
    if lost := [tuned for tuned in result.tuning if tuned.chosen is None and any(at.missing for at in tuned.points)]:
        raise RunsFailedError(f"no arm is at its own best rate; the first, {lost[0].arm}: {lost[0].reason}")

"""`stacklab report`"""

from pathlib import Path
from typing import Annotated

import typer

from stacklab.cli.options import (
    DEFAULT_OUT,
    DEFAULT_SCALE,
    Out,
    Overrides,
    Scale,
    Seeds,
    StudyName,
    parse_seeds,
    results_console,
)

AuditFiles = Annotated[
    list[Path] | None,
    typer.Option("--audit", help="A log of the source, to audit beside what was reproduced; may be repeated."),
]


def report(
    study: StudyName,
    overrides: Overrides = None,
    scale: Scale = DEFAULT_SCALE,
    seeds: Seeds = None,
    audit: AuditFiles = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Write the report of a study anew from its folders, finished or not, and print the verdicts.

    Give the settings and seeds that it was run with, or the path of its folder in <out>/studies.
    """
    from stacklab.audit.examine import audit as examine
    from stacklab.report.pages.terminal import verdict_table
    from stacklab.report.pages.write import write_report
    from stacklab.study.planning.plan import study_folder
    from stacklab.study.results.results import open_results
    from stacklab.study.spec.load import read_study, variant_of

    folder = Path(study)
    if not (folder / "plan.json").is_file():
        chosen = read_study(study, scale=scale, overrides=overrides or ())
        folder = study_folder(out, chosen.name, scale, variant_of(overrides or (), parse_seeds(seeds)))
    result = open_results(folder)
    paths = write_report(result, examine(audit) if audit else None)
    console = results_console()
    console.print(verdict_table(result))
    console.print(f"report: {paths.html}", soft_wrap=True, highlight=False)

"""`stacklab report`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.cli.options import results_console
from stacklab.cli.request import with_request

if TYPE_CHECKING:
    from stacklab.study.spec.request import StudyRequest

AuditFiles = Annotated[
    list[Path] | None,
    typer.Option("--audit", help="A log of the source, to audit beside the reproduction; may be repeated."),
]


@with_request(without=("looks", "engine", "workers", "runs_per_gpu", "gpus_per_run"))
def report(study: str, request: "StudyRequest", audit: AuditFiles = None) -> None:
    """Write the report of a study again from its folders, finished or not, and print the verdicts.

    Name the settings and seeds that it was run with, or the path of its folder in <out>/studies.
    """
    from stacklab.audit.examine import audit as examine
    from stacklab.report.pages.terminal import verdict_table
    from stacklab.report.pages.write import write_report
    from stacklab.study.planning.plan import study_folder
    from stacklab.study.results.results import open_results
    from stacklab.study.spec.load import read_study

    folder = Path(study)
    if not (folder / "plan.json").is_file():
        chosen = read_study(study, scale=request.scale, overrides=request.overrides)
        folder = study_folder(chosen.name, request)
    result = open_results(folder)
    paths = write_report(result, examine(audit) if audit else None)
    console = results_console()
    console.print(verdict_table(result))
    console.print(f"report: {paths.html}", soft_wrap=True)

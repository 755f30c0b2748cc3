"""Arguments and options that commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stacklab.base.errors import SpecError
from stacklab.base.text import cut
from stacklab.study.spec.checks import check_number_of_seeds

if TYPE_CHECKING:
    from rich.console import Console

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="A built-in study (see `stacklab studies`) or a study's .yaml file.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH=VALUE]...", help="Settings of the base, for example model.d_model=128 train.steps=50."
    ),
]
Scale = Annotated[str, typer.Option("--scale", "-s", help="Scale of the study; `stacklab studies` lists them.")]
Out = Annotated[
    Path, typer.Option("--out", "-o", help="The folder for runs, caches and reports.", envvar="STACKLAB_OUT")
]

Checkpoint = Annotated[
    Literal["last", "best"],
    typer.Option(
        "--checkpoint",
        help="The weights of a run: the last ones, or those of its best evaluation (needs train.keep_best=true).",
    ),
]

PLAIN_WIDTH = 120
"""Width of tables in columns where standard output is not a terminal."""

DEFAULT_OUT = Path("stacklab-out")
DEFAULT_SCALE = "smoke"


def parse_seeds(text: str | None) -> tuple[int, ...] | None:
    """`5` -> 1..5; `1,2,7` -> these. Raises SpecError for anything else."""
    if text is None:
        return None
    try:
        numbers = tuple(int(part) for part in text.rstrip(",").split(","))
    except ValueError:
        raise SpecError(f"--seeds {text}: expected a number of seeds (5) or a list of seeds (1,2,7)") from None
    if "," in text:
        return numbers
    if numbers[0] < 1:
        raise SpecError(f"--seeds {text}: at least one seed is needed")
    try:
        check_number_of_seeds(numbers[0])
    except ValueError as error:
        raise SpecError(f"--seeds {cut(text)}: {error}") from None
    return tuple(range(1, numbers[0] + 1))


def parse_numbers(option: str, text: str) -> tuple[float, ...]:
    """`1e-3,2e-3` -> these. Raises SpecError for anything else."""
    try:
        return tuple(float(part) for part in text.rstrip(",").split(","))
    except ValueError:
        raise SpecError(f"{option} {text}: expected numbers with commas between them, such as 1e-3,2e-3") from None


def parse_whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """`32,64` -> (32, 64). Raises SpecError for anything else."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SpecError(
            f"{option} {text}: expected whole numbers with commas between them, such as 32,64,128"
        ) from None


def results_console() -> "Console":
    """A console on standard output."""
    import os

    from stacklab.base.text import make_console

    console = make_console()
    return console if console.is_terminal or "COLUMNS" in os.environ else make_console(width=PLAIN_WIDTH)

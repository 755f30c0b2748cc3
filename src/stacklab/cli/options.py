"""Arguments and options that commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.base.errors import SpecError

if TYPE_CHECKING:
    from rich.console import Console

    from stacklab.study.spec.rates import RetrySpec, TuningSpec

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="A built-in study (see `stacklab studies`) or a study's .yaml file.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH=VALUE]...", help="Settings of the base, for example model.d_model=128 train.steps=50."
    ),
]
Scale = Annotated[str, typer.Option("--scale", "-s", help="How large to run it; `stacklab studies` lists the scales.")]
Seeds = Annotated[
    str | None,
    typer.Option("--seeds", help="A number of seeds (5 means 1 to 5) or a list (1,2,7). Default: the scale's."),
]
LearningRates = Annotated[
    str | None,
    typer.Option(
        "--learning-rates",
        help="A grid that every arm is tried on, for example 5e-4,1e-3,2e-3; claims are then also stated with each "
        "arm at its own best. Needs data.tuning_fraction. Default: the scale's grid, if it has one.",
    ),
]
WeightDecays = Annotated[
    str | None, typer.Option("--weight-decays", help="Tried with every learning rate. Default: the study's own.")
]
TuningSeeds = Annotated[
    str | None, typer.Option("--tuning-seeds", help="The seeds of the grid, none of the claims'. Default: 1001,1002.")
]
RetryRates = Annotated[
    str | None,
    typer.Option(
        "--retry-rates",
        help="Of a study with a grid: learning rates at which a stack that would count as failing is trained again, "
        "for example 5e-4,1e-3,2e-3. Default: the scale's, if it has some.",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", "-o", help="The folder for runs, caches and reports.", envvar="STACKLAB_OUT")
]

PLAIN_WIDTH = 120
"""Columns of tables where standard output is not a terminal, whose width would be known."""

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
    return tuple(range(1, numbers[0] + 1))


def parse_tuning(learning_rates: str | None, weight_decays: str | None, seeds: str | None) -> "TuningSpec | None":
    """The grid given on the command line. Raises SpecError for what is not one."""
    if learning_rates is None:
        if weight_decays is not None or seeds is not None:
            raise SpecError("--weight-decays and --tuning-seeds belong to --learning-rates, which is not given")
        return None
    from pydantic import ValidationError

    from stacklab.study.spec.rates import TuningSpec

    grid: dict[str, object] = {"learning_rates": _numbers("--learning-rates", learning_rates)}
    if weight_decays is not None:
        grid["weight_decays"] = _numbers("--weight-decays", weight_decays)
    if (chosen := parse_seeds(seeds)) is not None:
        grid["seeds"] = chosen
    try:
        return TuningSpec.model_validate(grid)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = "--tuning-seeds" if first["loc"][0] == "seeds" else f"--{str(first['loc'][0]).replace('_', '-')}"
        raise SpecError(f"{option}: {first['msg'].removeprefix('Value error, ')}") from None


def parse_retry(learning_rates: str | None) -> "RetrySpec | None":
    """The rates for stacks that fail. Raises SpecError for what are none."""
    if learning_rates is None:
        return None
    from pydantic import ValidationError

    from stacklab.study.spec.rates import RetrySpec

    try:
        return RetrySpec(learning_rates=_numbers("--retry-rates", learning_rates))
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise SpecError(f"--retry-rates: {message}") from None


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.rstrip(",").split(","))
    except ValueError:
        raise SpecError(f"{option} {text}: expected numbers with commas between them, such as 1e-3,2e-3") from None


def results_console() -> "Console":
    """A console on standard output."""
    import os

    from rich.console import Console

    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=PLAIN_WIDTH)

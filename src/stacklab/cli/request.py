"""The arguments and options of a request to run a study, for every command that takes them.

A command gets one `request` made of all of them, or of those that it names: @with_request("seeds"). A new option of
`run` and `plan` is an entry of OPTIONS here, a field of StudyRequest, and the code that uses it.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from stacklab.base.errors import SpecError
from stacklab.cli.options import (
    DEFAULT_OUT,
    DEFAULT_SCALE,
    Out,
    Overrides,
    Scale,
    StudyName,
    parse_numbers,
    parse_seeds,
)
from stacklab.study.engines.registry import DEFAULT_ENGINE, ENGINES

if TYPE_CHECKING:
    from stacklab.study.spec.request import StudyRequest


class Option(NamedTuple):
    """kind: the type of the text on the command line. parse: from the option's name and text to the field's value."""

    kind: Any
    info: Any
    default: Any = None
    parse: Callable[[str, Any], Any] = lambda name, value: value


ENGINE_NAMES: Any = Literal.__getitem__(tuple(ENGINES))
DEVICE_NAMES = Literal["auto", "cpu", "cuda", "mps"] | None

OPTIONS = {
    "seeds": Option(
        str | None,
        typer.Option(
            "--seeds", help="A number of seeds (5 means 1 to 5) or a list (1,2,7). Default: the scale's seeds."
        ),
        parse=lambda name, text: parse_seeds(text),
    ),
    "looks": Option(
        int | None,
        typer.Option(
            "--looks",
            min=1,
            help="Number of looks at the results, each with more seeds, declared before the first run; every look is "
            "judged at its share of the level. Default: 1.",
        ),
    ),
    "learning_rates": Option(
        str | None,
        typer.Option(
            "--learning-rates",
            help="A grid of learning rates for every arm, for example 5e-4,1e-3,2e-3; claims are then also stated with "
            "each arm at its own best rate. Needs data.tuning_fraction. Default: the scale's grid, if it has one.",
        ),
        parse=parse_numbers,
    ),
    "weight_decays": Option(
        str | None,
        typer.Option(
            "--weight-decays", help="Weight decays to try with every learning rate. Default: the study's own."
        ),
        parse=parse_numbers,
    ),
    "tuning_seeds": Option(
        str | None,
        typer.Option(
            "--tuning-seeds", help="The seeds of the grid, distinct from the claims' seeds. Default: 1001,1002."
        ),
        parse=lambda name, text: parse_seeds(text),
    ),
    "retry_rates": Option(
        str | None,
        typer.Option(
            "--retry-rates",
            help="For a study with a grid: learning rates at which a stack is trained again before it counts as "
            "failing, for example 5e-4,1e-3,2e-3. Default: the scale's retry rates, if it has any.",
        ),
        parse=parse_numbers,
    ),
    "device": Option(
        DEVICE_NAMES,
        typer.Option(
            "--device", "-d", help="As train.device=: auto is a GPU where there is one. mps is Apple's; it is untested."
        ),
    ),
    "engine": Option(
        ENGINE_NAMES,
        typer.Option("--engine", "-e", help=" ".join(f"{name}: {entry.summary}." for name, entry in ENGINES.items())),
        DEFAULT_ENGINE,
    ),
    "workers": Option(
        int | None,
        typer.Option(
            "--workers",
            "-w",
            min=1,
            help="The most processes at the same time. Default: one per core, or --runs-per-gpu on each GPU.",
        ),
    ),
    "runs_per_gpu": Option(
        int,
        typer.Option(
            "--runs-per-gpu", help="The most runs at the same time on each GPU; small models leave most of it idle."
        ),
        1,
    ),
    "gpus_per_run": Option(
        int,
        typer.Option("--gpus-per-run", help="The GPUs that train each run together, with equal shares of its batches."),
        1,
    ),
}
GRID = {"learning_rates": "learning_rates", "weight_decays": "weight_decays", "tuning_seeds": "seeds"}
"""Options of the grid of learning rates -> fields of TuningSpec."""


def with_request(*names: str, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the study, its overrides, the scale, the named options (default: all) and the output folder to a command.

    The command is called with `study` (name or path) and `request`, besides parameters of its own. An own parameter
    `out` replaces the output folder.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for name, one in inspect.signature(command).parameters.items() if name not in ("study", "request")]
        first = (_parameter("study", StudyName), _parameter("overrides", Overrides, None))
        options = [_option(name) for name in names or OPTIONS if name not in without]
        folder = [] if "out" in [one.name for one in own] else [_parameter("out", Out, DEFAULT_OUT)]
        signature = inspect.Signature((*first, _parameter("scale", Scale, DEFAULT_SCALE), *options, *own, *folder))

        def run(*args: Any, **kwargs: Any) -> None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            arguments = bound.arguments
            study = arguments.pop("study")
            own_arguments = {one.name: arguments.pop(one.name) for one in own}
            command(study=study, request=parse_request(arguments), **own_arguments)

        run.__doc__, run.__name__ = command.__doc__, command.__name__
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
        return run

    return decorate


def parse_request(arguments: Mapping[str, Any]) -> "StudyRequest":
    """The request from parsed arguments. Raises SpecError naming the option that is wrong."""
    from stacklab.study.spec.request import make_request

    parsed = {
        name: OPTIONS[name].parse(f"--{name.replace('_', '-')}", value) if name in OPTIONS else value
        for name, value in arguments.items()
        if value is not None
    }
    grid = {field: parsed.pop(name) for name, field in GRID.items() if name in parsed}
    if grid and "learning_rates" not in grid:
        raise SpecError("--weight-decays and --tuning-seeds need --learning-rates")
    if "retry_rates" in parsed:
        parsed["retry"] = {"learning_rates": parsed.pop("retry_rates")}
    device = parsed.pop("device", None)
    overrides = (*(arguments.get("overrides") or ()), *([f"train.device={device}"] if device else []))
    fields = parsed | ({"tuning": grid} if grid else {}) | {"overrides": overrides}
    return make_request(fields)


def _option(name: str) -> inspect.Parameter:
    option = OPTIONS[name]
    return _parameter(name, Annotated[option.kind, option.info], option.default)


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation, default=default)

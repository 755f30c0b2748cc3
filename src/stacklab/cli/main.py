"""The `stacklab` command. Commands import what they need when they run, so that --help is quick and torch-free."""

import io
import os
import pkgutil
import signal
import sys
from typing import NoReturn

import typer

from stacklab.base.env import apply_defaults
from stacklab.base.errors import DiskError, Interrupted, StacklabError, UserError
from stacklab.base.text import cut, say

EXIT_CODES = """Exit codes: 0 done; 1 a bug in stacklab; 2 the input cannot be used; 3 some runs failed;
130 stopped by the user, the same command resumes."""

COMMANDS = {
    "studies": "studies:studies",
    "plan": "plan:plan",
    "run": "run:run",
    "train": "run:train",
    "status": "status:status",
    "report": "report:report",
    "diff": "compare:diff",
    "compare": "compare:compare",
    "generate": "generate:generate",
    "evaluate": "evaluate:evaluate",
    "import": "port:import_",
    "export": "port:export",
    "construct": "construct:construct",
    "heads": "heads:heads",
    "audit": "audit:audit",
    "calibrate": "calibrate:calibrate",
    "coordinates": "coordinates:coordinates",
    "doctor": "doctor:doctor",
}
BENCH_COMMANDS = {
    "step": "bench:step",
    "plan": "bench:plan",
    "replicas": "bench:replicas",
    "generate": "bench:generation",
}
"""Name of a command -> its function in this package, in the order of the help."""

app = typer.Typer(
    name="stacklab",
    help="Controlled experiments on transformer stacks: change one thing, hold everything else equal, and get an "
    "answer that can be trusted.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
bench_app = typer.Typer(help="Measured comparisons with other programs.", no_args_is_help=True, rich_markup_mode=None)
for group, commands in ((app, COMMANDS), (bench_app, BENCH_COMMANDS)):
    for name, path in commands.items():
        group.command(name)(pkgutil.resolve_name(f"stacklab.cli.{path}"))
app.add_typer(bench_app, name="bench")


def main() -> NoReturn:
    """Run the command line; expected errors become one line and an exit code."""
    apply_defaults()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An ASCII terminal shows the escapes of what it cannot.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run_command()
        # The buffer's rest may have no reader either.
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output has left (`stacklab ... | head`): exit quietly, as other commands do.
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        code = 128 + signal.SIGPIPE
    sys.exit(code)


def run_command() -> int:
    """The exit code. Raises BrokenPipeError when the reader of the output has left."""
    try:
        app(standalone_mode=True)
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):
            # typer exits with 1, which is for bugs in stacklab.
            raise ending.__context__ from None
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except StacklabError as error:
        return print_error(error)
    except MemoryError as error:
        return print_error(UserError(f"out of memory: {error or 'the request is too large for this machine'}"))
    except KeyboardInterrupt:
        return print_error(Interrupted("stopped"))
    except BrokenPipeError:
        raise
    except OSError as error:
        # An error of the operating system about a path of the user that no command has checked.
        place = cut(str(error.filename or "the disk"))
        return print_error(DiskError(f"{place}: {error.strerror or error}; name another path"))
    return 0


def print_error(error: StacklabError) -> int:
    """Print the error on one line; returns its exit code."""
    # Quoted text may come from a malicious file, for example terminal commands in the name of a tensor.
    say(f"stacklab: {' '.join(str(error).split())}", error=True)
    return error.exit_code

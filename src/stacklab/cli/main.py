"""The `stacklab` command. Commands import what they need when they run, so that --help is quick and torch-free."""

import io
import os
import pkgutil
import resource
import signal
import sys
from typing import NoReturn

import typer

from stacklab.base.env import apply_defaults
from stacklab.base.errors import DiskError, Interrupted, StacklabError
from stacklab.base.text import cut, say

EXIT_CODES = """Exit codes: 0 done; 1 a fault of stacklab; 2 the input cannot be used, or a limit of the machine is
reached; 3 some runs failed; 130 stopped by the user, the same command resumes."""

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
    if resource.getrlimit(resource.RLIMIT_CPU) != (resource.RLIM_INFINITY, resource.RLIM_INFINITY):
        from stacklab.base.hardware import foresee_time_limit

        foresee_time_limit()
    try:
        code = run_command()
        # The buffer's rest may have no reader either.
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output has left (`stacklab ... | head`): exit quietly, as other commands do.
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        code = 128 + signal.SIGPIPE
    # All is done: the limit of CPU time must not replace the exit code while the interpreter ends.
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
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
    except KeyboardInterrupt:
        return print_error(Interrupted("stopped"))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  the last place where an error can be explained
        return print_unexpected(error)
    return 0


def print_unexpected(error: Exception) -> int:
    """Print what no command has foreseen; returns the exit code: 2 for a limit of the machine or a path, 1 for a fault
    of stacklab."""
    from stacklab.base.hardware import limit_reached

    if (limit := limit_reached(error)) is not None:
        return print_error(limit)
    if isinstance(error, OSError):
        place = cut(str(error.filename or "the disk"))
        return print_error(DiskError(f"{place}: {error.strerror or error}; name another path"))
    return print_error(StacklabError(f"{type(error).__name__}: {cut(str(error))}"), error)


def write_details(error: Exception) -> str:
    """Write the traceback to a new file; returns its path, or the traceback where no file can be written."""
    import tempfile
    import traceback
    from pathlib import Path

    from stacklab.base.files import write_text

    details = "".join(traceback.format_exception(error))
    try:
        path = Path(tempfile.mkdtemp(prefix="stacklab-fault-")) / "details.txt"
        write_text(path, details)
    except (OSError, DiskError):
        return details
    return str(path)


def print_error(error: StacklabError, cause: Exception | None = None) -> int:
    """Print the error on one line; returns its exit code. A fault of stacklab has a second line, on how to report it.

    cause: the exception behind it, where that is another one.
    """
    # Quoted text may come from a malicious file, for example terminal commands in the name of a tensor.
    say(f"stacklab: {' '.join(str(error).split())}", error=True)
    if error.exit_code == 1:
        details = write_details(cause or error)
        say(f"stacklab: this is a fault of stacklab; please report it with the details in {details}", error=True)
    return error.exit_code

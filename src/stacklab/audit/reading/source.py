"""A file, recognised by its content -> logs and stated numbers. The file is treated as data only."""

from dataclasses import dataclass, replace
from pathlib import Path

from stacklab.audit.arms import seeds_in
from stacklab.audit.reading.entry import Document
from stacklab.audit.reading.events import event_files, is_event_file, read_events
from stacklab.audit.reading.lines import read_lines
from stacklab.audit.reading.log import Log
from stacklab.audit.reading.programs import load_formats
from stacklab.audit.reading.results import Loop, parse_results_header, read_results
from stacklab.audit.reading.stated import find_stated
from stacklab.audit.reading.table import parse_header, read_table
from stacklab.audit.spec import Stated
from stacklab.base.encoding import in_utf8
from stacklab.base.errors import DataError
from stacklab.base.files import unpacked

LARGEST_TEXT = 64 * 2**20
LINES = (
    "lines that begin with a step, such as 'step 25/500 train 3.1 val 3.2' (nanoGPT, nanochat, minGPT, litgpt, "
    "torchtitan, modded-nanogpt)"
)


@dataclass(frozen=True)
class Source:
    """The logs and stated numbers of one file. seeds: the different seeds that its text names."""

    logs: tuple[Log, ...]
    stated: Stated
    seeds: tuple[str, ...] = ()
    loops: tuple[Loop, ...] = ()


def read_source(path: Path) -> Source:
    """Read a log, in any of the forms, and the numbers that the text states beside it.

    Raises DataError naming the file, and the line where there is one, for what is missing, empty, not text, or holds
    neither a log nor stated numbers; MissingExtraError for TensorBoard events without their reader.
    """
    if path.is_dir():
        return Source(tuple(read_events(event_files(path), root=path)), Stated())
    if is_event_file(path):
        return Source(tuple(read_events([path], root=path.parent)), Stated())
    text = _read_text(path)
    loop = _read_loop(text, path)
    if loop is not None:
        return Source((), Stated(), loops=(loop,))
    source = _read_document(text, path) or _read_csv(text, path) or _read_prose(text, path)
    unread = [trouble for log in source.logs if not log.series for trouble in log.troubles]
    if source.stated == Stated() and all(trouble.kind == "log-unread" for trouble in unread):
        if unread and not any(log.series for log in source.logs):
            where, what = f"{path}:{unread[0].line}", f"a loss that cannot be read ({unread[0].what})"
            raise DataError(f"{where}: {what}, and no other log; expected {forms()}")
        if not source.logs:
            raise DataError(f"{path}: no training log and no stated numbers; expected {forms()}")
    return replace(source, seeds=seeds_in(text.splitlines()))


def _read_loop(text: str, path: Path) -> Loop | None:
    first, *lines = ((number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip())
    header = parse_results_header(first[1])
    return None if header is None else read_results(lines, header, source=path.name, stem=path.stem)


def forms() -> str:
    """What can be read, for messages."""
    programs = ", ".join(each.program for each in load_formats())
    return f"{LINES}, a CSV with a step column (Lightning, W&B), TensorBoard events, {programs}"


def _read_document(text: str, path: Path) -> Source | None:
    document = Document(text=text, name=path.name, stem=path.stem)
    for each in load_formats():
        logs = each.document(document) if each.document is not None else None
        if logs is not None:
            return Source(tuple(logs), Stated())
    return None


def _read_csv(text: str, path: Path) -> Source | None:
    lines = list(enumerate(text.splitlines(), start=1))
    start = next((index for index, (_, line) in enumerate(lines) if line.strip()), 0)
    header = parse_header(lines[start][1])
    if header is None:
        return None
    return Source(tuple(read_table(lines[start + 1 :], header, source=path.name, stem=path.stem)), Stated())


def _read_prose(text: str, path: Path) -> Source:
    whole = text.endswith(("\n", "\r"))
    logs, rest = read_lines(list(enumerate(text.splitlines(), start=1)), source=path.name, stem=path.stem, whole=whole)
    return Source(tuple(logs), find_stated(rest))


def _read_text(path: Path) -> str:
    try:
        with unpacked(path) as handle:
            content = handle.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror})") from error
    if len(content) > LARGEST_TEXT:
        raise DataError(f"{path}: larger than {LARGEST_TEXT // 2**20} MiB; pass only the part with the log")
    data = in_utf8(content, path)
    bad = data.find(b"\0")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        bad = error.start if bad < 0 else min(bad, error.start)
    if bad >= 0:
        line = data.count(b"\n", 0, bad) + 1
        raise DataError(f"{path}:{line}: not text (byte {bad} of the file); expected {forms()}")
    if not text.strip():
        raise DataError(f"{path}: empty; expected {forms()}")
    return text

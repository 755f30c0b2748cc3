"""Which logs are runs of one arm, and with which seeds: from their names, their seed lines, or as stated."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os.path import commonpath
from pathlib import Path
from typing import NamedTuple

from stacklab.audit.reading.log import Log, shown
from stacklab.audit.spec import StatedArm
from stacklab.base.errors import SpecError

BREAK = r"[ _./\-]*"
IN_NAME = re.compile(rf"{BREAK}\(?(?<![a-z])seed[ _.=:\-]?(\d{{1,10}})(?!\d)\)?", re.IGNORECASE)
IN_TEXT = re.compile(
    r"(?<![a-z_])(?<![a-z]-)(?:random[ _]|global[ _]|manual_)?seed[\"']?(?: set)?(?: to)?"
    r"\s{0,3}[:=|(]?\s{0,3}(\d{1,10})\b",
    re.IGNORECASE,
)
LONGEST_LINE = 2_000
EDGES = " _./-"


class File(NamedTuple):
    """The logs of one file. seeds: the different seeds that its text names, in order."""

    path: Path
    logs: Sequence[Log]
    seeds: Sequence[str] = ()


def seeds_in(lines: Iterable[str]) -> tuple[str, ...]:
    """The different seeds that lines such as `seed: 1`, `--seed 1` or `Global seed set to 1` name, in order.

    >>> seeds_in(["seed:1", "data_seed: 7", "step 1 seed 1"])
    ('1',)
    """
    named = (line[:LONGEST_LINE] for line in lines if "seed" in line.lower())
    return tuple(dict.fromkeys(match[1] for line in named for match in IN_TEXT.finditer(line)))


def split_seed(name: str) -> tuple[str, str]:
    """A name without its seed, and the seed; empty where the name has none.

    >>> split_seed("deep_seed1"), split_seed("seed2/deep"), split_seed("deep")
    (('deep', '1'), ('deep', '2'), ('deep', ''))
    """
    seed = IN_NAME.search(name)
    if seed is None:
        return name, ""
    return (name[: seed.start()] + name[seed.end() :]).strip(EDGES), seed[1]


def by_arm(logs: Iterable[Log]) -> dict[str, list[Log]]:
    """The logs with losses by arm, in the order of the logs."""
    arms: dict[str, list[Log]] = {}
    for log in logs:
        if log.series:
            arms.setdefault(log.arm, []).append(log)
    return arms


def assign_arms(files: Sequence[File], stated: Sequence[StatedArm] = (), *, where: str = "") -> list[Log]:
    """All logs, with their arms and seeds.

    A seed is taken from the name of the run, else from that of its file with its folder, else from the file's text. The
    arm is the name without the seed; arms that state their `logs` come first. where: the file that states them.
    Raises SpecError for a stated log that is not among the files or in two arms.
    """
    owners = _owners([file.path for file in files], stated, where)
    labels = _labels([file.path for file in files])
    rests = {file.path: split_seed(labels[file.path])[0] for file in files}
    logs, named = [], dict[str, set[str]]()
    for file in files:
        for index, log in enumerate(file.logs):
            found = _placed(log, index, file, labels[file.path])
            if file.path in owners:
                found = replace(found, arm=owners[file.path])
            elif found.arm != rests[file.path]:
                named.setdefault(found.arm, set()).add(rests[file.path])
            logs.append((file.path, found))
    return _numbered(
        [
            replace(log, arm=f"{rests[path]} {log.arm}")
            if len(named.get(log.arm, ())) > 1 and path not in owners
            else log
            for path, log in logs
        ]
    )


def _placed(log: Log, index: int, file: File, label: str) -> Log:
    """One log with the arm and the seed of its name, or else of its file."""
    own = log.name not in {shown(file.path.stem), shown(file.path.name)} and not _is_restart(log, file)
    rest, seed = (log.arm, log.name.removeprefix(f"{log.arm} seed ")) if log.name != log.arm else ("", "")
    if not rest:
        rest, seed = split_seed(log.name if own else label)
    if not seed and own:
        seed = split_seed(label)[1]
    if not seed and file.seeds:
        each = len(file.seeds) == len(file.logs)
        seed = file.seeds[index] if each else file.seeds[0] if len(file.seeds) == 1 else ""
    return replace(log, arm=shown(rest or file.path.resolve().parent.name or label), seed=seed)


def _is_restart(log: Log, file: File) -> bool:
    """Whether the log is a later one of a file that names as many seeds as it has logs."""
    numbered = re.fullmatch(rf"{re.escape(file.path.stem)} \d+", log.name)
    return numbered is not None and len(file.seeds) == len(file.logs)


def _numbered(logs: Sequence[Log]) -> list[Log]:
    """Runs whose names differ only by the seeds that their texts name, such as deep_1 and deep_2, are one arm."""
    rests: dict[str, list[Log]] = {}
    for log in logs:
        if log.seed and split_seed(log.name)[1] == "":
            rest = re.sub(rf"{BREAK}(?<!\d){re.escape(log.seed)}(?!\d)", "", log.arm, count=1).strip(EDGES)
            if rest and rest != log.arm:
                rests.setdefault(rest, []).append(log)
    arms = {
        id(log): rest
        for rest, group in rests.items()
        if len({log.seed for log in group}) == len(group) > 1
        for log in group
    }
    return [replace(log, arm=arms.get(id(log), log.arm)) for log in logs]


def _labels(paths: Sequence[Path]) -> dict[Path, str]:
    """Each file's path below the folder that holds them all, without its suffix."""
    parents = [path.resolve().parent for path in paths]
    top = Path(commonpath(parents)) if parents else Path()
    labels = {path: path.resolve().relative_to(top) for path in paths}
    return {
        path: (label.with_suffix("") if label.suffix[1:].isalpha() else label).as_posix()
        for path, label in labels.items()
    }


def _owners(paths: Sequence[Path], stated: Sequence[StatedArm], where: str) -> Mapping[Path, str]:
    """The arm of each file that an arm states as its log. A stated path may be the end of the file's."""
    owners: dict[Path, str] = {}
    for arm in stated:
        for name in arm.logs:
            parts = Path(name).parts
            matches = [path for path in paths if path.parts[-len(parts) :] == parts]
            if not matches:
                raise SpecError(f"{where}: arms: {arm.name}: no {name} among the files; they are {_listed(paths)}")
            if len(matches) > 1:
                raise SpecError(f"{where}: arms: {arm.name}: {name} is {_listed(matches)}; state more of its path")
            if owners.setdefault(matches[0], arm.name) != arm.name:
                raise SpecError(f"{where}: arms: {name} is a log of {owners[matches[0]]} and of {arm.name}")
    return owners


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))

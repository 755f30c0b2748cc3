"""Kills processes of a running study at random moments, and sends it storms of signals; then runs it again."""

import contextlib
import os
import random
import shlex
import shutil
import signal
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from tests.campaign.ground import command, differences, digest, facts, finished, lay, undisturbed
from tests.campaign.outcomes import Tally, judge
from tests.campaign.warm import Ended, Warm

CHAIN = 4
"""Interruptions of one folder before the study is left to end and its results are compared."""
SECONDS = 180
ENTERED = 0.1
"""Seconds after which a fork is within stacklab, where signals are its own matter."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Blow(NamedTuple):
    """One interruption. code: the exit code that it may cause, beside those of stacklab."""

    text: str
    codes: tuple[int, ...] = ()


def interrupt(warm: Warm, data: str, engine: str, tally: Tally, scratch: Path, *, whole: int, storm: bool) -> None:
    """Interrupt the study `whole` times, times the scale."""
    rng = random.Random(f"{tally.settings.seed} {engine} {storm}")
    reference = scratch / "reference"
    began = time.time()
    length = undisturbed(warm, reference, data, engine=engine).seconds
    trained = max(path.stat().st_mtime for path in reference.glob("o/runs/*/result.json")) - began
    expected, count, number = digest(reference / "o"), tally.settings.count(whole), 0
    assert expected, "no run was made"
    while number < count:
        folder, blows = scratch / f"{number}", []
        lay(folder, data)
        while len(blows) < min(CHAIN, count - number):
            kept = finished(folder / "o")
            # Most of them while the runs train; the report takes as long in studies as small as this.
            delay = rng.uniform(0, length if rng.random() < 0.1 else trained)
            blow, ended = _blow(warm, command(data, engine), folder, delay, rng, storm=storm)
            if blow is None:
                break
            blows.append(blow.text)
            outcome, seen = _outcome(blow, ended)
            if gone := [path for path in differences(finished(folder / "o"), kept) if path in kept]:
                outcome, seen = "lost", f"{gone[0]} of a finished run changed"
            if outcome in ("traceback", "hang", "silent", "lost") or ended.code == 0:
                break
        if blows:
            if outcome in ("refused", "survived"):
                outcome, seen = _completed(warm, folder, data, engine, expected)
            number += len(blows)
            text = f"{shlex.join(command(data, engine))}\n" + "\n".join(blows)
            for _ in blows[1:]:
                tally.add("survived", "", command=text)
            tally.add(outcome, seen, command=text, folder=folder)
        shutil.rmtree(folder)


def _outcome(blow: Blow, ended: Ended) -> tuple[str, str]:
    if ended.code in blow.codes:
        return "survived", ""
    return judge(ended)


def _completed(warm: Warm, folder: Path, data: str, engine: str, expected: dict[str, str]) -> tuple[str, str]:
    """The same command again, now to its end, with the results of an undisturbed run."""
    ended = warm.run(command(data, engine), folder, seconds=SECONDS)
    outcome, seen = judge(ended)
    if outcome == "refused":
        return "lost", f"the same command again: {seen}"
    if outcome != "survived":
        return outcome, f"the same command again: {seen}"
    if wrong := differences(digest(folder / "o"), expected):
        return "silent", f"other results: {', '.join(wrong[:3])}"
    if left := [path.name for path in folder.rglob("*.part")]:
        return "lost", f"left behind: {left[0]}"
    assert facts(folder / "o")
    return "survived", ""


def _blow(
    warm: Warm, one: list[str], folder: Path, delay: float, rng: random.Random, *, storm: bool
) -> tuple[Blow | None, Ended]:
    """Start the command and interrupt it after `delay` seconds; no blow if it has ended before."""
    pid = warm.start(one, folder, seconds=SECONDS)
    time.sleep(max(delay, ENTERED))
    blow = _storm(pid, rng) if storm else _kill(pid, rng)
    return (blow and blow._replace(text=f"after {delay:.3f} s {blow.text}")), warm.end()


def _kill(pid: int, rng: random.Random) -> Blow | None:
    """Kill one process, of a role drawn among those there are, or all at once as a power cut does."""
    roles = _roles(pid)
    if not roles:
        return None
    role = rng.choice(sorted(roles))
    for process in roles[role]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return Blow(f"SIGKILL to {role}", (-signal.SIGKILL,) if role in ("main", "all") else ())


def _roles(pid: int) -> dict[str, list[psutil.Process]]:
    """Role -> its processes; for a worker, one of them."""
    try:
        main = psutil.Process(pid)
        below = main.children(recursive=True)
        if main.status() == psutil.STATUS_ZOMBIE:
            return {}
        roles = {"main": [main], "all": [main, *below]}
        for process in below:
            is_engine = "stacklab.study.engines.server" in " ".join(process.cmdline())
            role = "helper" if not is_engine else "server" if process.ppid() == pid else "worker"
            roles[role] = [process]
    except psutil.NoSuchProcess:
        return {}
    return roles


def _storm(pid: int, rng: random.Random) -> Blow | None:
    """Up to 20 signals within a moment, to the process or to its group as a terminal does."""
    group, sent = rng.random() < 0.5, []
    for _ in range(rng.randint(1, 20)):
        number = rng.choice(SIGNALS)
        if not _roles(pid):
            break
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(pid, number)
            sent.append(number.name)
        time.sleep(rng.choice((0, 0, 0.001, 0.01, 0.05)))
    # Before and after the runs the signals have their usual effect.
    usual = (-signal.SIGTERM, -signal.SIGHUP)
    return Blow(f"to {'the group' if group else 'main'}: {' '.join(sent)}", usual) if sent else None

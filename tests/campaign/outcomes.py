"""How each attempt ended, counted in a table; what should not have happened is kept with the command to repeat it."""

import json
import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.campaign.warm import Ended

OUTCOMES = ("refused", "survived", "lost", "silent", "traceback", "hang")
"""refused: one line and exit code 2 or 3. survived: done, with the right results. lost: something finished is gone or
cannot be resumed. silent: other numbers, or text that should not be there, without a word. traceback: a fault of
stacklab, exit code 1 or a crash. hang: stopped at the limit of time."""
BAD = OUTCOMES[2:]

SECRET = "s3cr3t-of-the-environment"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TRACE = "Traceback (most recent call last)"


class Settings(NamedTuple):
    """seed: of everything that is drawn. scale: factor on the number of attempts. folder: for the table and the
    failures."""

    seed: int
    scale: float
    folder: Path

    def count(self, whole: int) -> int:
        return max(1, round(whole * self.scale))


def settings() -> Settings:
    """From STACKLAB_CAMPAIGN_SEED, _SCALE and _OUT."""
    get = os.environ.get
    return Settings(
        seed=int(get("STACKLAB_CAMPAIGN_SEED", "17")),
        scale=float(get("STACKLAB_CAMPAIGN_SCALE", "1")),
        folder=Path(get("STACKLAB_CAMPAIGN_OUT", "stacklab-out/campaign")).absolute(),
    )


def judge(ended: Ended) -> tuple[str, str]:
    """(outcome, what was seen) of one command, as far as its exit code and its text show."""
    if ended.code is None:
        return "hang", f"still running after {ended.seconds:.0f} s"
    last = (ended.err.strip() or ended.out.strip() or "no text").splitlines()[-1][:300]
    if ended.code == 1 or ended.code < 0 or TRACE in ended.text:
        return "traceback", f"exit code {ended.code}: {last}"
    if SECRET in ended.text:
        return "silent", "a secret of the environment is printed"
    if found := CONTROL.search(ended.text):
        return "silent", f"the control character {found[0]!r} is printed"
    if ended.code in (2, 3):
        return "refused", last
    return "survived", last


@dataclass
class Tally:
    """The counts of one row of the table."""

    name: str
    settings: Settings
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, outcome: str, seen: str, *, command: str, folder: Path | None = None) -> None:
        """Count one attempt. A bad one is kept: its command, what was seen, and the folder that it ran in."""
        self.counts[outcome] += 1
        if outcome in BAD:
            self._keep(f"{outcome}: {seen}", command, folder)

    @property
    def file(self) -> str:
        """The row's name as a name of files."""
        return re.sub(r"\W+", "-", self.name)

    def _keep(self, seen: str, command: str, folder: Path | None) -> None:
        place = self.settings.folder / "failures" / f"{self.file}-{len(self.failures) + 1}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        self.failures.append(f"{place.name}: {seen}")
        (place / "README.txt").write_text(f"{seen}\n\n{command}\n", errors="backslashreplace")
        if folder is not None and len(self.failures) <= MOST_KEPT:
            for path in folder.rglob("*"):
                # Pipes and links to devices cannot be copied; the command makes them.
                if path.is_file() and not path.is_symlink():
                    copy = place / "folder" / path.relative_to(folder)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, copy)

    def close(self) -> None:
        """Write the row for the table. Raises AssertionError when anything bad was counted."""
        rows = self.settings.folder / "rows"
        rows.mkdir(parents=True, exist_ok=True)
        counts = {"tried": self.counts.total()} | {name: self.counts[name] for name in OUTCOMES}
        (rows / f"{self.file}.json").write_text(json.dumps({"what": self.name} | counts))
        bad = sum(self.counts[name] for name in BAD)
        shown = "\n".join(self.failures[:20])
        assert not bad, f"{self.name}: {bad} of {counts['tried']}; kept in {self.settings.folder}/failures\n{shown}"


MOST_KEPT = 20
"""Folders kept per row; the commands of all failures are."""


def table(folder: Path) -> str:
    """The rows so far as a Markdown table, with their sum."""
    rows = [json.loads(path.read_text()) for path in sorted((folder / "rows").glob("*.json"))]
    names = ("tried", *OUTCOMES)
    whole = {"what": "all"} | {name: sum(row[name] for row in rows) for name in names}
    lines = ["| what | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row in (*rows, whole):
        lines.append(f"| {row['what']} | " + " | ".join(f"{row[name]:,}" for name in names) + " |")
    return "\n".join(lines) + "\n"

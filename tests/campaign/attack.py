"""Runs hostile inputs, each in a folder of its own."""

import shlex
from pathlib import Path

from tests.campaign.bombs import Place
from tests.campaign.bombs_as_bytes import MARKER
from tests.campaign.inputs import PARSERS, Input
from tests.campaign.outcomes import SECRET, Tally, judge
from tests.campaign.warm import Warm

SECONDS = 30
"""Limit of time of a command that takes less than a second with a good input."""


def attack(warm: Warm, parser: str, tally: Tally, scratch: Path, *, whole: int = 1000) -> None:
    """Run `whole` inputs of a parser, times the scale of the campaign."""
    count, seed = tally.settings.count(whole), tally.settings.seed
    for number, one in enumerate(PARSERS[parser](count, seed)):
        folder = scratch / f"{number}"
        lay(one, folder)
        outcome, seen = run(warm, one, folder)
        places = [f"{name}: {content.value}" for name, content in one.files.items() if isinstance(content, Place)]
        text = "\n".join([*places, *(shlex.join(command) for command in one.commands)])
        tally.add(outcome, seen, command=f"seed {seed}, input {number}\n{text}", folder=folder)


def lay(one: Input, folder: Path) -> None:
    """Write the files of an input to a new folder."""
    for name, content in one.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Place):
            content.make(path)
        else:
            path.write_bytes(content)


def run(warm: Warm, one: Input, folder: Path) -> tuple[str, str]:
    """(outcome, what was seen): of the first command that is refused or goes wrong, else of the last."""
    outcome, seen = "survived", ""
    for command in one.commands:
        ended = warm.run(command, folder, seconds=SECONDS, environment={"CAMPAIGN_SECRET": SECRET})
        outcome, seen = judge(ended)
        if outcome != "survived":
            break
    if list(folder.rglob(MARKER)):
        return "silent", "code in the input was run"
    for path in (folder / "o").rglob("*.*"):
        if path.is_file() and SECRET.encode() in path.read_bytes():
            return "silent", f"a secret of the environment is in {path.relative_to(folder)}"
    return outcome, seen

"""The whole campaign: `python -m pytest -m campaign tests/campaign` (CONTRIBUTING.md). Takes hours.

Each test is one row of the table, and fails when anything was lost, silent, a traceback or a hang.
"""

from pathlib import Path

import pytest
from tests.campaign.attack import attack
from tests.campaign.damage import damage
from tests.campaign.disks import can_mount, fill_disks, limit
from tests.campaign.ground import half, undisturbed
from tests.campaign.inputs import PARSERS
from tests.campaign.kills import interrupt
from tests.campaign.outcomes import Settings, Tally
from tests.campaign.warm import Warm

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(0)]

ENGINES = {"inline": "text", "processes": "text", "replicas": "task"}
"""Engine -> the data of the study that it trains; replicas stacks runs over tasks."""


@pytest.mark.parametrize("parser", PARSERS)
def test_hostile_inputs(parser: str, warm: Warm, chosen: Settings, scratch: Path) -> None:
    tally = Tally(f"inputs: {parser}", chosen)
    attack(warm, parser, tally, scratch)
    tally.close()


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_damaged_folders(state: str, warm: Warm, chosen: Settings, scratch: Path) -> None:
    tally = Tally(f"damage: {state} folder", chosen)
    template = scratch / "template"
    (undisturbed if state == "finished" else half)(warm, template, "text")
    damage(warm, template, "text", tally, scratch, most=2000)
    tally.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_kills(engine: str, warm: Warm, chosen: Settings, scratch: Path) -> None:
    tally = Tally(f"kills: {engine}", chosen)
    interrupt(warm, ENGINES[engine], engine, tally, scratch, whole=300, storm=False)
    tally.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_storms_of_signals(engine: str, warm: Warm, chosen: Settings, scratch: Path) -> None:
    tally = Tally(f"signals: {engine}", chosen)
    interrupt(warm, ENGINES[engine], engine, tally, scratch, whole=100, storm=True)
    tally.close()


@pytest.mark.skipif(not can_mount(), reason="this user may not mount a file system of its own (unshare -rm)")
def test_full_disks(warm: Warm, chosen: Settings, scratch: Path) -> None:
    tally = Tally("full disks", chosen)
    undisturbed(warm, scratch / "whole", "text")
    server = Warm(namespace=True)
    fill_disks(server, scratch / "whole", "text", tally, scratch, whole=500)
    server.close()
    tally.close()


@pytest.mark.parametrize("name", ["RLIMIT_FSIZE", "RLIMIT_NOFILE"])
def test_limits(name: str, warm: Warm, chosen: Settings, scratch: Path) -> None:
    tally = Tally(f"limits: {name}", chosen)
    undisturbed(warm, scratch / "whole", "text")
    limit(warm, scratch / "whole", "text", tally, scratch, name=name, whole=100)
    tally.close()

"""A short part of the campaign, with the seed of its own, in every run of the tests."""

from pathlib import Path

import pytest
from tests.campaign.attack import attack
from tests.campaign.damage import damage
from tests.campaign.ground import half
from tests.campaign.inputs import PARSERS
from tests.campaign.kills import interrupt
from tests.campaign.outcomes import BAD, Settings, Tally, judge, table
from tests.campaign.warm import Ended, Warm

pytestmark = [pytest.mark.xdist_group("campaign"), pytest.mark.trains]


@pytest.fixture
def few(tmp_path: Path) -> Settings:
    return Settings(seed=5, scale=1, folder=tmp_path / "campaign")


def test_a_few_inputs_of_every_parser(warm: Warm, few: Settings, tmp_path: Path) -> None:
    tally = Tally("inputs", few)
    for parser in PARSERS:
        attack(warm, parser, tally, tmp_path / parser, whole=2)
    tally.close()
    assert tally.counts.total() == 2 * len(PARSERS)


def test_a_few_kills_and_damages(warm: Warm, few: Settings, tmp_path: Path) -> None:
    half(warm, tmp_path / "half", "text")
    tally = Tally("damage", few)
    damage(warm, tmp_path / "half", "text", tally, tmp_path / "damage", most=3)
    interrupt(warm, "text", "inline", tally, tmp_path / "kills", whole=4, storm=False)
    tally.close()
    assert tally.counts.total() == 7


ENDS = {
    "hang": Ended(None, "", "", 30.0),
    "traceback": Ended(1, "", "stacklab: the workers cannot start", 1.0),
    "refused": Ended(2, "", "stacklab: study.yaml:3: not YAML", 1.0),
    "survived": Ended(0, "done\n", "", 1.0),
    "silent": Ended(0, "\x1b[31mred", "", 1.0),
}


@pytest.mark.parametrize("outcome", ENDS)
def test_a_command_is_judged_by_its_code_and_its_text(outcome: str) -> None:
    assert judge(ENDS[outcome])[0] == outcome


def test_a_bad_outcome_is_kept_with_its_command_and_fails(few: Settings, tmp_path: Path) -> None:
    tally = Tally("rows of a kind", few)
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "rows.csv").write_text("a,b\n")
    tally.add("survived", "", command="stacklab plan a.yaml")
    tally.add("lost", "a run is gone", command="stacklab run a.yaml", folder=tmp_path / "case")
    with pytest.raises(AssertionError, match=r"rows of a kind: 1 of 2"):
        tally.close()
    kept = few.folder / "failures" / "rows-of-a-kind-1"
    assert "stacklab run a.yaml" in (kept / "README.txt").read_text()
    assert (kept / "folder" / "rows.csv").read_text() == "a,b\n"
    assert "| rows of a kind | 2 | 0 | 1 | 1 | 0 | 0 | 0 |" in table(few.folder)
    assert BAD == ("lost", "silent", "traceback", "hang")

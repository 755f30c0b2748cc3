from datetime import UTC, datetime
from pathlib import Path

import pytest

from stacklab.base.errors import DataError
from stacklab.base.files import write_json
from stacklab.run.paths import OutPaths
from stacklab.study.planning.plan import Plan, make_plan
from stacklab.study.results.ledger.entry import FILE, read_ledger
from stacklab.study.results.ledger.marks import afterthought
from stacklab.study.results.ledger.write import enter
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest


@pytest.fixture
def out(tiny: Path) -> Path:
    return tiny.parent / "out"


@pytest.fixture
def plan(tiny: Path, out: Path) -> Plan:
    return make_plan(read_study(str(tiny), scale="smoke"), StudyRequest(scale="smoke", out=out))


def finish(plan: Plan, out: Path, arm: str, seed: int) -> None:
    (spec,) = (spec for one, number, spec in plan.runs() if (one.name, number) == (arm, seed))
    write_json(OutPaths(out).run(spec.run_id).result, {})


def changed(plan: Plan, **change: object) -> Plan:
    tree = plan.dump()
    tree["contrasts"][0]["claim"] |= change
    return Plan.model_validate(tree)


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def marks(plan: Plan, out: Path) -> list[str]:
    entries = read_ledger(plan.folder(out))
    return [afterthought(plan, contrast, entries) for contrast in plan.contrasts]


def test_claims_entered_before_their_runs_stay_unmarked_whatever_finishes_later(plan: Plan, out: Path) -> None:
    enter(plan, out)
    finish(plan, out, "deep", 1)
    enter(plan, out)
    assert marks(plan, out) == ["", ""]
    assert [entry.finished_runs for entry in read_ledger(plan.folder(out))] == [0, 0]


def test_a_claim_made_after_its_runs_is_marked_and_others_are_not(plan: Plan, out: Path) -> None:
    finish(plan, out, "shallow", 2)
    enter(plan, out)
    assert marks(plan, out) == [f"made on {today()}, after 1 of its runs had been evaluated", ""]


def test_a_change_before_the_data_is_free_and_after_it_is_marked_with_what_moved(plan: Plan, out: Path) -> None:
    enter(plan, out)
    looser = changed(plan, level=0.1)
    enter(looser, out)
    assert marks(looser, out) == ["", ""]
    finish(plan, out, "deep", 1)
    opposite = changed(plan, direction="higher", level=0.1)
    enter(opposite, out)
    seen = f"changed on {today()}, after 1 of its runs had been evaluated: direction from lower to higher"
    assert marks(opposite, out) == [seen, ""]
    enter(looser, out)
    assert marks(looser, out) == ["", ""], "it stood when results were first seen"
    enter(plan, out)
    assert marks(plan, out)[0].endswith("level from 0.1 to 0.05"), "it was given up before results were seen"
    assert len(read_ledger(plan.folder(out))) == 6


def test_a_claim_missing_in_the_ledger_is_marked(plan: Plan, out: Path) -> None:
    assert marks(plan, out)[0].startswith("not in the ledger")


def test_a_damaged_ledger_is_refused(plan: Plan, out: Path) -> None:
    enter(plan, out)
    (plan.folder(out) / FILE).write_text('{"id": "fit"}\n')
    with pytest.raises(DataError, match=r"ledger\.jsonl: not a ledger"):
        read_ledger(plan.folder(out))

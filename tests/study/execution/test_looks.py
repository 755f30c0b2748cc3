from pathlib import Path

import pytest

from stacklab.api import Study, load_study
from stacklab.base.errors import SpecError
from stacklab.base.files import write_json
from stacklab.run.paths import OutPaths
from stacklab.study.planning.plan import Plan, save_plan
from stacklab.study.results.ledger.entry import read_ledger
from stacklab.study.results.ledger.marks import afterthought
from stacklab.study.results.ledger.write import enter


def study(tiny: Path, looks: int | None = None) -> Study:
    return load_study(str(tiny), out=tiny.parent / "out", looks=looks)


def finish(plan: Plan, out: Path) -> None:
    """Leave the folder as a finished run of the plan does."""
    save_plan(plan, plan.folder(out))
    enter(plan, out)
    for _, _, spec in plan.runs():
        ended = {"status": "finished", "step": 6, "batches": "b", "metrics": {"train_probe.loss": 1.0}}
        write_json(OutPaths(out).run(spec.run_id).result, ended)


def test_every_look_is_judged_at_its_share_of_the_level(tiny: Path) -> None:
    assert {contrast.claim.level for contrast in study(tiny).plan().contrasts} == {0.05}
    assert {contrast.claim.level for contrast in study(tiny, looks=5).plan().contrasts} == {0.01}


def test_the_next_look_adds_seeds_and_later_commands_stay_there(tiny: Path) -> None:
    out = tiny.parent / "out"
    first = study(tiny, looks=2).plan()
    finish(first, out)
    second = study(tiny).plan(more=2)
    assert (second.seeds, second.look, second.looks) == ((1, 2, 3, 4), 2, 2)
    finish(second, out)
    again = study(tiny).plan()
    assert again == second
    entries = read_ledger(again.folder(out))
    assert [afterthought(again, contrast, entries) for contrast in again.contrasts] == ["", ""]
    with pytest.raises(SpecError, match="look 3: the design declared 2 looks"):
        study(tiny).plan(more=2)


def test_a_look_that_is_not_finished_or_was_not_declared_is_refused(tiny: Path) -> None:
    with pytest.raises(SpecError, match="6 runs of look 1 of 2 are not finished"):
        study(tiny, looks=2).plan(more=2)
    finish(study(tiny).plan(), tiny.parent / "out")
    with pytest.raises(SpecError, match="look 2: the design declared 1 look and"):
        study(tiny).plan(more=2)
    with pytest.raises(SpecError, match="--looks 4: this study was first run with 1"):
        study(tiny, looks=4).plan()


def test_the_number_of_new_seeds_cannot_follow_the_results(tiny: Path) -> None:
    finish(study(tiny, looks=2).plan(), tiny.parent / "out")
    with pytest.raises(SpecError, match="--more-seeds 1: every look adds 2"):
        study(tiny).plan(more=1)

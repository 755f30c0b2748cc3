"""Ledgers and results of earlier versions are read as before."""

import json
from pathlib import Path

import pytest
from tests.study.heads import edit, folder_of, run, shown, study_file

from stacklab.base.canon import fingerprint
from stacklab.base.files import read_json, write_json
from stacklab.study.results.ledger.entry import FILE, read_ledger
from stacklab.study.results.results import StudyResult, open_results


@pytest.fixture
def old(tmp_path: Path) -> StudyResult:
    """A study as an earlier version left it: one entry without experiment and hashes, results without hashes."""
    result = run(study_file(tmp_path))
    claim = result.plan.contrasts[0].claim.dump() | {"against": "two"}
    del claim["power"]
    entry = {"id": "more:two", "claim": fingerprint(claim), "stated": claim, "entered": "2026-10-01T10:00:00+00:00"}
    (result.folder / FILE).write_text(json.dumps(entry | {"finished_runs": 0}) + "\n")
    for row in result.rows:
        path = folder_of(result, row.arm, row.seed).result
        ended = read_json(path)
        del ended["hashes"]
        write_json(path, ended)
    return open_results(result.folder)


def test_their_verdicts_stand_and_what_they_did_not_record_is_said_once(old: StudyResult) -> None:
    assert old.verdicts == {"more:two": "refuted"} and old.claims[0].afterthought == ""
    assert [remark.kind for remark in old.remarks] == ["not recorded", "not recorded"]
    text = shown(old)
    assert "1 comparison entered by an earlier version, which recorded neither arms, seeds nor data" in text
    assert "6 of 6 runs are of an earlier version, whose results hold no hashes: not verifiable" in text


def test_the_next_run_records_the_experiment_and_keeps_the_old_line(old: StudyResult) -> None:
    file, before = old.out.parent / "heads.yaml", (old.folder / FILE).read_text()
    result = run(file)
    assert result.claims[0].afterthought == ""
    assert (old.folder / FILE).read_text().splitlines()[0] == json.dumps(
        json.loads(before), sort_keys=True, separators=(",", ":")
    )
    assert [(entry.kind, entry.seen) for entry in read_ledger(old.folder)] == [
        ("claim", 0),
        ("claim", 6),
        ("verdict", 0),
    ]
    edit(file, ("steps: 6", "steps: 7"))
    changed = run(file)
    assert "both arms: train.steps from 6 to 7" in changed.claims[0].afterthought


def test_a_changed_claim_of_an_earlier_version_is_marked(old: StudyResult) -> None:
    file = old.out.parent / "heads.yaml"
    edit(file, ("direction: lower", "direction: higher"))
    assert "after 6 of its runs had been evaluated: direction from lower to higher" in shown(run(file))


def test_an_old_line_edited_below_a_new_one_is_named(old: StudyResult) -> None:
    run(old.out.parent / "heads.yaml")
    path = old.folder / FILE
    path.write_text(path.read_text().replace('"finished_runs":0', '"finished_runs":1', 1))
    assert f"a line before line 2 of {FILE} was removed or edited" in shown(open_results(old.folder))


def test_a_line_without_hash_after_one_with_a_hash_is_named(old: StudyResult) -> None:
    run(old.out.parent / "heads.yaml")
    path = old.folder / FILE
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    assert f"line 4 of {FILE} has no hash" in shown(open_results(old.folder))

"""Attempts to fool the ledger: each is refused, or shown on the terminal and on the first screen of the report."""

import os
import shutil
from pathlib import Path

import pytest
from tests.study.heads import edit, end, folder_of, run, shown, study_file, write_rows

from stacklab.base.errors import SpecError
from stacklab.base.files import read_json, read_jsonl, write_json
from stacklab.run.paths import RunPaths
from stacklab.study.results.ledger.entry import FILE
from stacklab.study.results.results import StudyResult, open_results

LOWER, HIGHER = "direction: lower", "direction: higher"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return study_file(tmp_path)


@pytest.fixture
def seen(file: Path) -> StudyResult:
    """The study as run: its claim is refuted."""
    result = run(file)
    assert result.verdicts == {"more:two": "refuted"} and result.remarks == ()
    return result


def test_1_the_direction_turned_round_after_results(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER))
    text = shown(run(file))
    assert "more:two: claim changed on" in text
    assert "after 6 of its runs had been evaluated: direction from lower to higher" in text
    assert "before the claim was changed: refuted, difference +0.3, 95% CI [" in text


@pytest.mark.parametrize(
    ("setting", "said"), [("matters: 0.5", "matters from None to 0.5"), ("primary: true", "primary from False to True")]
)
def test_what_matters_and_which_claims_are_primary_stand_before_results(
    file: Path, seen: StudyResult, setting: str, said: str
) -> None:
    edit(file, (LOWER, f"{LOWER}\n    {setting}"))
    assert said in shown(run(file))


def test_2_a_refuted_claim_deleted_and_entered_anew(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER), ("id: more", "id: new"))
    text = shown(run(file))
    assert "new:two: claim made on" in text
    assert "more:two: withdrawn on" in text
    assert "its last verdict: refuted, difference +0.3, 95% CI [" in text
    assert "It said: eight heads predict better than two heads" in text


def test_a_claim_that_the_scale_leaves_out_after_results_is_withdrawn(file: Path, seen: StudyResult) -> None:
    edit(file, ("seeds: [1, 2, 3]", "claims: [], seeds: [1, 2, 3]"))
    assert "more:two: withdrawn on" in shown(run(file))


def test_3_a_rewording_is_no_change_of_meaning(file: Path, seen: StudyResult) -> None:
    edit(file, ("{arm} predict better than {against}", "{arm} beat {against}"))
    result = run(file)
    assert result.claims[0].afterthought == ""
    text = shown(result)
    assert 'after 6 of its runs had been evaluated: reworded, it was "{arm} predict better than {against}"' in text


def test_4_what_the_arms_mean_exchanged(file: Path, seen: StudyResult) -> None:
    edit(file, ("two heads, change: {model.num_heads: 2", "two heads, change: {model.num_heads: 9"))
    edit(file, ("eight heads, change: {model.num_heads: 8", "eight heads, change: {model.num_heads: 2"))
    edit(file, ("model.num_heads: 9", "model.num_heads: 8"))
    result = run(file)
    assert result.verdicts == {"more:two": "supported"}
    exchanged = "the arms exchanged, eight: model.num_heads from 8 to 2; two: model.num_heads from 2 to 8"
    assert exchanged in result.claims[0].afterthought and exchanged in shown(result)


def test_5_labels_exchanged(file: Path, seen: StudyResult) -> None:
    edit(file, ("label: two heads", "label: x"), ("label: eight heads", "label: two heads"))
    edit(file, ("label: x", "label: eight heads"))
    text = shown(run(file))
    assert 'labels exchanged, eight from "eight heads" to "two heads", two from "two heads" to "eight heads"' in text


def test_a_label_that_is_only_reworded_is_shown_as_such(file: Path, seen: StudyResult) -> None:
    edit(file, ("label: eight heads", "label: 8 heads"))
    result = run(file)
    assert result.claims[0].afterthought == ""
    assert 'the label of eight changed from "eight heads" to "8 heads"' in shown(result)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("steps: 6", "steps: 7"), "both arms: train.steps from 6 to 7"),
        (("d_model: 16", "d_model: 24"), "model.d_model from 16 to 24"),
        (("batch_size: 16", "batch_size: 16, optimizer: {learning_rate: 0.5}"), "train.optimizer.learning_rate from"),
    ],
)
def test_6_another_base(file: Path, seen: StudyResult, change: tuple[str, str], said: str) -> None:
    edit(file, change)
    text = shown(run(file))
    assert said in text and "after 6 of its runs had been evaluated" in text
    assert "before the claim was changed: refuted" in text


@pytest.mark.parametrize("seeds", ["[1, 2, 3, 4, 5]", "[4, 5, 6]", "[1, 3]"])
def test_7_8_9_10_other_seeds_in_the_file_are_refused(file: Path, seen: StudyResult, seeds: str) -> None:
    edit(file, ("seeds: [1, 2, 3]", f"seeds: {seeds}"))
    with pytest.raises(SpecError, match=r"results with seeds 1, 2, 3 exist in .*--looks.*--out") as refused:
        run(file)
    assert refused.value.exit_code == 2 and "\n" not in str(refused.value)


@pytest.mark.parametrize("seeds", [(4, 5, 6), (1, 2, 3, 4, 5), (1, 3)])
def test_8_11_other_seeds_on_the_command_line_are_refused(
    file: Path, seen: StudyResult, seeds: tuple[int, ...]
) -> None:
    with pytest.raises(SpecError, match="results with seeds 1, 2, 3 exist in"):
        run(file, seeds=seeds)


def test_10_a_diverged_seed_stays_visible_where_the_plan_was_deleted(file: Path) -> None:
    def diverge(folder: Path) -> None:
        end(folder)
        paths = RunPaths(folder)
        result = read_json(paths.result)
        if read_json(paths.spec)["seed"] == 3:
            write_json(paths.result, {"status": "diverged", "reason": "nan", "step": 3, "batches": result["batches"]})

    first = run(file, ends=diverge)
    assert first.verdicts == {"more:two": "invalid"}
    edit(file, ("seeds: [1, 2, 3]", "seeds: [1, 2]"))
    with pytest.raises(SpecError, match="results with seeds 1, 2, 3"):
        run(file)
    (first.folder / "plan.json").unlink()
    text = shown(run(file))
    assert "seeds from 1, 2, 3 to 1, 2" in text
    assert "(seeds 1, 2, 3), before the claim was changed: invalid (eight seed 3: diverged (nan))" in text


def test_12_seeds_in_the_file_raised_at_a_declared_look(file: Path) -> None:
    run(file, looks=2)
    edit(file, ("seeds: [1, 2, 3]", "seeds: [1, 2, 3, 4]"))
    with pytest.raises(SpecError, match="seeds 1, 2, 3, 4: results with seeds 1, 2, 3"):
        run(file)


def test_12_seeds_in_the_file_changed_at_the_second_look(file: Path) -> None:
    run(file, looks=2)
    run(file, more=3)
    edit(file, ("seeds: [1, 2, 3]", "seeds: [7, 8, 9]"))
    with pytest.raises(SpecError, match="seeds 7, 8, 9: results with seeds 1, 2, 3"):
        run(file)


def test_13_fewer_looks_after_the_first_run(file: Path) -> None:
    run(file, looks=2)
    with pytest.raises(SpecError, match="--looks 1: this study was first run with 2"):
        run(file, looks=1)


def test_14_the_plan_deleted_and_run_without_looks(file: Path) -> None:
    (run(file, looks=2).folder / "plan.json").unlink()
    assert "level from 0.025 to 0.05; declared looks from 2 to 1" in shown(run(file))


def test_15_the_verdict_of_an_earlier_look_stays(file: Path) -> None:
    run(file, looks=2)
    second = run(file, more=3)
    assert second.claims[0].afterthought == ""
    text = shown(second)
    assert "look 2 of 2 declared" in text
    assert "more:two: look 1 of 2 on" in text
    assert "(seeds 1, 2, 3): refuted, difference +0.3, 97.5% CI [" in text


def test_16_the_ledger_deleted(file: Path, seen: StudyResult) -> None:
    (seen.folder / FILE).unlink()
    assert "not in the ledger" in shown(open_results(seen.folder))
    assert "claim made on" in shown(run(file))


def test_17_the_last_line_deleted_after_a_change(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER))
    changed = run(file)
    lines = (changed.folder / FILE).read_text().splitlines(keepends=True)
    (changed.folder / FILE).write_text("".join(lines[:2]))
    assert "not in the ledger" in shown(open_results(changed.folder))


def test_18_a_line_edited(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER))
    ledger = run(file).folder / FILE
    text = ledger.read_text()
    assert text.count('"seen_runs":6') == 1
    ledger.write_text(text.replace('"seen_runs":6', '"seen_runs":0'))
    result = open_results(ledger.parent)
    assert f"line 3 of {FILE} was edited" in shown(result)
    assert result.claims[0].afterthought == f"in a ledger that was altered: line 3 of {FILE} was edited"


def test_18_a_line_removed(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER))
    ledger = run(file).folder / FILE
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(lines[:1] + lines[2:]))
    assert f"a line before line 2 of {FILE} was removed or edited" in shown(open_results(ledger.parent))


def test_19_runs_moved_away_while_a_claim_is_entered(file: Path, seen: StudyResult) -> None:
    runs, away = seen.out / "runs", seen.out / "away"
    for paths in (folder_of(seen, row.arm, row.seed) for row in seen.rows):
        hour_ago(paths)
    runs.rename(away)
    (seen.folder / FILE).unlink()
    edit(file, (LOWER, HIGHER))
    run(file, ends=lambda folder: None)
    shutil.rmtree(runs)
    away.rename(runs)
    assert "as if before its runs, but 6 of them had been evaluated earlier" in shown(run(file))


def hour_ago(paths: RunPaths) -> None:
    import os

    for path in (paths.evals, paths.result):
        os.utime(path, (path.stat().st_mtime - 3600,) * 2)


def test_20_the_study_renamed(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER), ("name: heads", "name: others"))
    assert "claim made on" in shown(run(file))


def test_21_another_folder_beside_the_first(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER), ("name: heads", "name: others"))
    other = run(file, out=file.parent / "elsewhere")
    assert other.verdicts == {"more:two": "supported"}
    said = "more:two: the same two configurations were also compared in"
    assert f"{said} out (heads-smoke), as more:two: refuted, difference +0.3, 95% CI [" in shown(other)
    assert f"{said} elsewhere ({other.folder.name}), as more:two: supported" in shown(open_results(seen.folder))


def test_21_other_seeds_in_another_folder(file: Path, seen: StudyResult) -> None:
    text = shown(run(file, out=file.parent / "elsewhere", seeds=(4, 5, 6)))
    assert "also compared in out (heads-smoke), as more:two: refuted" in text


def test_21_a_comparison_of_others_beside_it_is_not_listed(file: Path, seen: StudyResult) -> None:
    edit(file, ("d_model: 16", "d_model: 24"))
    assert run(file, out=file.parent / "elsewhere").remarks == ()


def test_21_a_damaged_ledger_beside_it_is_named(file: Path, seen: StudyResult) -> None:
    ledger = file.parent / "elsewhere" / "studies" / "heads-smoke" / FILE
    ledger.parent.mkdir(parents=True)
    ledger.write_text("{}\n")
    assert "the ledger in elsewhere (heads-smoke): " in shown(open_results(seen.folder))


def test_21_a_folder_far_from_the_first(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER))
    far = file.parent / "far" / "away"
    assert "also compared in out (heads-smoke), as more:two: refuted" in shown(run(file, out=far))
    assert "also compared in away (heads-smoke), as more:two: supported" in shown(open_results(seen.folder))
    shutil.rmtree(far)
    assert open_results(seen.folder).remarks == ()


def test_21_a_verdict_elsewhere_stands_at_the_claim_in_its_metric(file: Path) -> None:
    more = file.read_text().partition("claims:\n")[2].partition("scales:")[0]
    other = more.replace("id: more", "id: fit").replace("validation.loss", "train_probe.loss")
    edit(file, (more, more + other))
    run(file)
    text = shown(run(file, out=file.parent / "elsewhere"))
    for id in ("more:two", "fit:two"):
        assert text.count(f"{id}: the same two configurations were also compared in out (heads-smoke), as {id}:") == 1
    assert text.count("also compared") == 2


def test_21_a_folder_of_another_user_is_out_of_reach_and_the_report_says_so(
    file: Path, seen: StudyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stacklab.report.facts.build import build_facts
    from stacklab.report.sections.ledger import ledger

    edit(file, (LOWER, HIGHER))
    monkeypatch.setenv("XDG_STATE_HOME", str(file.parent / "another"))
    result = run(file, out=file.parent / "far" / "away")
    assert result.remarks == ()
    assert "those that the same user ran on this machine" in ledger(build_facts(result)).lead


def test_a_damaged_list_of_output_folders_is_named(file: Path, seen: StudyResult) -> None:
    path = Path(os.environ["XDG_STATE_HOME"]) / "stacklab" / "outputs.jsonl"
    assert read_jsonl(path) == [{"out": str(seen.out.resolve())}]
    path.write_text("[]\n")
    assert f"the list of output folders: {path}:1: not an object" in shown(open_results(seen.folder))


def test_a_home_that_cannot_be_written_has_no_list(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "home").write_text("a file in the place of a folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(file.parent / "home"))
    assert run(file).remarks == ()


def test_22_stopped_before_a_run_finished(file: Path) -> None:
    def begin(folder: Path) -> None:
        values = {"train_probe.loss": 2.0, "validation.loss": 2.0}
        write_rows(RunPaths(folder).evals, [{"step": step} | values for step in (0, 3)])

    run(file, ends=begin)
    edit(file, (LOWER, HIGHER))
    text = shown(run(file))
    assert "after 6 of its runs had been evaluated: direction from lower to higher" in text


def test_an_evaluation_of_the_untrained_model_is_no_result(file: Path) -> None:
    run(file, ends=lambda folder: write_rows(RunPaths(folder).evals, [{"step": 0, "validation.loss": 5.5}]))
    edit(file, (LOWER, HIGHER))
    assert run(file).claims[0].afterthought == ""


def test_23_both_directions_entered_before_any_run(file: Path) -> None:
    nothing = run(file, ends=lambda folder: None)
    edit(file, (LOWER, HIGHER))
    run(file)
    assert "in another form and changed before any result: direction from lower to higher" in shown(
        open_results(nothing.folder)
    )
    edit(file, (HIGHER, LOWER))
    result = run(file)
    assert "changed on" in result.claims[0].afterthought and "direction from higher to lower" in shown(result)


def test_23_both_directions_claimed_at_once(file: Path) -> None:
    other = (
        "  - {id: less, statement: s, metric: validation.loss, arm: eight, against: [two], direction: higher}\nscales"
    )
    edit(file, ("scales", other))
    assert "more:two, less:two: both directions of one comparison are claimed" in shown(run(file))


def test_23_several_margins_claimed_at_once(file: Path) -> None:
    equal = "direction: equivalent\n    margin: 0.1\n"
    other = "  - {id: wide, statement: s, metric: validation.loss, arm: two, against: [eight], MARGIN}\nscales"
    edit(file, (f"{LOWER}\n", equal), ("scales", other.replace("MARGIN", "direction: equivalent, margin: 1")))
    assert "the same equivalence is claimed with several margins, 0.1 and 1" in shown(run(file))


def copy_run(of: RunPaths, to: RunPaths, *, spec: bool = True) -> None:
    for path in of.folder.iterdir():
        if spec or path.name != "spec.json":
            shutil.copy(path, to.folder / path.name)


@pytest.mark.parametrize("spec", [True, False])
def test_24_a_run_copied_over_that_of_the_other_arm(seen: StudyResult, spec: bool) -> None:
    copied, to = folder_of(seen, "two", 1), folder_of(seen, "eight", 1)
    copy_run(copied, to, spec=spec)
    result = open_results(seen.folder)
    assert result.verdicts == {"more:two": "invalid"}
    text = shown(result)
    assert (
        f"{to.run_id}: the folder of eight seed 1 was copied or edited: result.json is that of run {copied.run_id}"
        in text
    )
    assert "eight seed 1: altered (result.json is that of run" in text


def test_24_without_hashes_the_spec_shows_it(seen: StudyResult) -> None:
    copied, to = folder_of(seen, "two", 1), folder_of(seen, "eight", 1)
    copy_run(copied, to)
    result = read_json(to.result)
    del result["hashes"]
    write_json(to.result, result)
    assert f"spec.json is the spec of run {copied.run_id}" in shown(open_results(seen.folder))


def test_25_a_seed_copied_over_another(seen: StudyResult) -> None:
    for arm in ("two", "eight"):
        copy_run(folder_of(seen, arm, 1), folder_of(seen, arm, 3))
    result = open_results(seen.folder)
    assert result.verdicts == {"more:two": "invalid"}
    assert shown(result).count("seed 3 was copied or edited") == 2


@pytest.mark.parametrize("name", ["metrics", "evals"])
def test_26_a_log_edited(seen: StudyResult, name: str) -> None:
    path = getattr(folder_of(seen, "two", 2), name)
    write_rows(path, [row | {"loss": 1.0} for row in read_jsonl(path)])
    result = open_results(seen.folder)
    assert result.verdicts == {"more:two": "invalid"}
    assert f"{name}.jsonl is not the one that its result was made of" in shown(result)


@pytest.mark.parametrize("change", [{"metrics": {"validation.loss": 1.5}}, {"batches": "b"}])
def test_27_28_a_result_edited(seen: StudyResult, change: dict[str, object]) -> None:
    for arm in ("two", "eight"):
        for seed in (1, 2, 3):
            path = folder_of(seen, arm, seed).result
            write_json(path, read_json(path) | change)
    result = open_results(seen.folder)
    assert result.verdicts == {"more:two": "invalid"}
    assert shown(result).count("copied or edited: result.json was edited") == 6


def test_29_another_corpus_under_the_same_path(file: Path, seen: StudyResult) -> None:
    corpus = file.parent / "corpus.txt"
    corpus.write_text(corpus.read_text().replace("small", "other"))
    text = shown(run(file))
    assert f"data of both arms from {seen.plan.data_fingerprint} to" in text
    assert "after 6 of its runs had been evaluated" in text


def test_30_one_arm_trained_for_longer(file: Path, seen: StudyResult) -> None:
    edit(file, ("knobs: [model.num_heads]", "knobs: [model.num_heads, train.steps]"))
    edit(file, ("change: {model.num_heads: 8}", "change: {model.num_heads: 8, train.steps: 7}"))
    text = shown(run(file))
    assert "eight: train.steps from 6 to 7; the comparison from paired to unpaired" in text


def test_31_the_claim_turned_round(file: Path, seen: StudyResult) -> None:
    edit(file, ("arm: eight", "arm: two"), ("against: [two]", "against: [eight]"))
    text = shown(run(file))
    assert "more:eight: claim made on" in text
    assert "more:two: withdrawn on" in text and "its last verdict: refuted" in text


def test_a_change_that_is_taken_back_leaves_a_trace(file: Path, seen: StudyResult) -> None:
    edit(file, (LOWER, HIGHER))
    run(file)
    edit(file, (HIGHER, LOWER))
    result = run(file)
    assert result.claims[0].afterthought == ""
    text = shown(result)
    assert "and changed back later: direction from lower to higher" in text
    assert "before the claim was changed: supported" in text


def test_6_another_base_by_an_override_is_shown_beside(file: Path, seen: StudyResult) -> None:
    other = run(file, overrides=("train.steps=7",))
    assert other.claims[0].afterthought == "", "a study of its own, in a folder of its own"
    assert "this study was also run with other settings, in heads-smoke: 1 refuted" in shown(other)
    assert f"also run with other settings, in {other.folder.name}: 1 refuted" in shown(open_results(seen.folder))


def test_other_seeds_are_free_before_any_result_and_elsewhere(file: Path) -> None:
    run(file, ends=lambda folder: None)
    edit(file, ("seeds: [1, 2, 3]", "seeds: [1, 2]"))
    assert run(file).remarks == ()
    away = run(file, seeds=(4, 5, 6), out=file.parent / "far" / "away")
    assert away.claims[0].afterthought == "" and [one.kind for one in away.remarks] == ["other folder"]
    other = run(file, overrides=("train.steps=9",), seeds=(4, 5, 6))
    assert other.claims[0].afterthought == "", "a study of other settings"
    with pytest.raises(SpecError, match="results with seeds 4, 5, 6 exist"):
        run(file, overrides=("train.steps=9",))

"""Every number of the report is one of the run folders; what is missing says so."""

import json
from dataclasses import replace
from statistics import mean

import pytest

from stacklab.base.files import read_json, write_json
from stacklab.report.facts.build import Facts, build_facts
from stacklab.report.facts.history import MOST_BATCHES
from stacklab.run.paths import OutPaths
from stacklab.run.verify import HASHES, hashes
from stacklab.stats.result import Estimate, Undefined
from stacklab.study.results.results import StudyResult, open_results
from tests.report.conftest import MANIFEST, MakeStudy, study_tree


def test_facts_survive_their_own_json(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(outcomes={("layers-1", 2): "diverged", ("layers-12", 1): "missing"}))
    assert Facts.model_validate(json.loads(json.dumps(facts.dump()))) == facts


def test_a_measure_is_the_mean_of_the_runs_own_results(make_study: MakeStudy) -> None:
    result = make_study()
    found = build_facts(result).arm("layers-12").measure("validation.loss")
    folders = [OutPaths(result.out).run(row.run_id) for row in result.rows if row.arm == "layers-12"]
    values = [read_json(folder.result)["metrics"]["validation.loss"] for folder in folders]
    assert found is not None
    assert found.seeds == (1, 2, 3)
    assert found.values == tuple(values)
    assert found.mean == pytest.approx(mean(values))
    assert isinstance(found.estimate, Estimate)
    assert found.estimate.low < min(values) < max(values) < found.estimate.high


@pytest.mark.parametrize("outcome", ["diverged", "failed", "unfinished", "missing"])
def test_a_run_that_did_not_finish_is_told_and_enters_no_mean(make_study: MakeStudy, outcome: str) -> None:
    facts = build_facts(make_study(outcomes={("layers-12", 2): outcome}))
    arm = facts.arm("layers-12")
    run = next(run for run in facts.runs_of("layers-12") if run.seed == 2)
    assert (arm.finished, arm.planned) == (2, 3)
    assert all(2 not in found.seeds for found in arm.measures)
    assert run.status == outcome
    assert run.reason
    assert any(run.reason in limit for limit in facts.limits)
    assert bool(run.log) == (outcome != "missing"), "the curve of what exists is kept"
    assert {contrast.verdict for contrast in facts.contrasts} == {"invalid"}


def test_one_seed_leaves_values_without_intervals(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(seeds=(7,)))
    found = facts.arm("layers-1").measure("accuracy")
    assert found is not None
    assert found.mean == found.values[0]
    assert isinstance(found.estimate, Undefined)
    assert facts.arm("layers-1").envelopes == ()
    assert facts.contrasts[0].difference == Undefined(reason="needs 2 pairs, has 1")
    assert any(limit.startswith("One seed") for limit in facts.limits)


def test_batch_orders_are_compared_across_arms(make_study: MakeStudy) -> None:
    result = make_study()
    assert [order.equal for order in build_facts(result).orders] == [True, True, True]
    row = next(row for row in result.rows if row.arm == "layers-1" and row.seed == 2)
    path = OutPaths(result.out).run(row.run_id).result
    other = read_json(path) | {"batches": "0000000000000000"}
    write_json(path, other | {HASHES: hashes(OutPaths(result.out).run(row.run_id), other)})
    facts = build_facts(open_results(result.folder))
    assert [order.equal for order in facts.orders] == [True, False, True]
    assert "Arms that share their data did not see the same batches at seed 2." in facts.limits


def test_reported_numbers_stand_beside_those_of_this_scale(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    assert facts.source is not None
    size, last, _, seconds, absent = facts.source.rows
    assert (size.reproduced and size.reproduced.mean) == facts.arm("layers-1").total_parameters
    assert last.gap == pytest.approx(facts.arm("layers-1").measure("train.last_batch_loss").mean - 3.772)  # type: ignore[union-attr, operator]
    assert isinstance(last.difference, Estimate)
    assert last.difference.value == pytest.approx(last.gap)
    assert last.difference.low < last.difference.value < last.difference.high
    assert seconds.reproduced is not None, "timing counts as well as metrics"
    assert (absent.reproduced, absent.absent) == (None, "scale smoke runs without this arm")
    assert "does not use the source's settings" in facts.source.settings_note


def test_only_the_paper_scale_claims_the_sources_settings(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(scale="paper"))
    assert facts.source is not None
    assert "does not use" not in facts.source.settings_note


def test_history_keeps_best_steps_and_elapsed_time_and_thins_the_batches(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=study_tree(steps=600, every=200), seeds=(1,)))
    run = facts.runs[0]
    assert [row.step for row in run.log] == [0, 200, 400, 600]
    best = min(run.log, key=lambda row: row.validation or 99.0)
    assert (run.best_step, run.best_loss) == (best.step, best.validation)
    seconds = [row.seconds or 0.0 for row in run.log]
    assert seconds[0] == 0.0
    assert seconds[3] == pytest.approx(3 * seconds[1])
    assert run.log[0].batch_loss is None
    assert run.log[1].learning_rate == pytest.approx(3e-4)
    assert run.batch_stride == 3
    assert len(run.batch_steps) == len(run.batch_losses) == 200 <= MOST_BATCHES


def test_parts_of_the_stack_add_up_to_all_parameters(make_study: MakeStudy) -> None:
    for arm in build_facts(make_study(scale="laptop", seeds=(1,))).arms:
        stack = arm.architecture
        ends = sum(part.parameters or 0 for part in (*stack.before, *stack.after))
        assert stack.repeat == arm.parameters["attention"] // (4 * _width(arm.architecture.before[0].detail) ** 2)
        assert sum(part.parameters or 0 for part in stack.block) == stack.block_parameters
        assert ends + stack.block_parameters == arm.total_parameters


def test_limits_count_claims_and_repeat_what_the_data_warns_of(make_study: MakeStudy) -> None:
    limits = build_facts(make_study()).limits
    assert limits[0] == "More layers also mean more parameters; only the matched controls separate depth from size."
    assert any("below 0.25" in limit for limit in limits), "2 / 2^3"
    assert any(limit.startswith("8 confirmatory comparisons share one error level") for limit in limits)
    assert any("43 blocks (5,540 tokens)" in limit for limit in limits)
    assert any(limit.startswith("3 records spell a marker") for limit in limits)


def test_what_the_data_warn_of_is_a_fact_of_its_own_with_the_arms_that_have_their_own_data(
    make_study: MakeStudy,
) -> None:
    result = make_study()
    arms = [
        arm.model_copy(update={"data_warnings": ("few blocks",) if arm.name != "layers-1" else ()})
        for arm in result.plan.arms
    ]
    plan = result.plan.model_copy(update={"arms": tuple(arms)})
    labels = ", ".join(arm.label for arm in arms if arm.data_warnings)
    assert build_facts(replace(result, plan=plan)).data_warnings == (
        "3 records spell a marker such as <|endoftext|>; it is encoded as text.",
        f"{labels}: few blocks.",
    )
    assert "data_warnings" not in result.plan.arms[0].dump(), "plans of earlier versions have the same dump"


def test_limits_say_what_the_loss_covers(make_study: MakeStudy) -> None:
    limits = build_facts(make_study()).limits
    assert "A position sees everything before it in its block, other records included." in limits
    assert "Every token is a target: those of system and user turns, and markers, too." in limits
    tree = study_tree()
    tree["base"]["data"] |= {"packing": "documents", "loss_on": "answers"}
    limits = build_facts(make_study(tree=tree)).limits
    assert any(limit.startswith("A position sees only what comes before it in its own record") for limit in limits)
    assert any(limit.startswith("Targets are what assistant turns say") for limit in limits)


def test_limits_say_which_claims_are_exploratory(make_study: MakeStudy) -> None:
    tree = study_tree()
    tree["claims"][0]["primary"] = True
    limits = build_facts(make_study(tree=tree)).limits
    assert any(limit.startswith("6 comparisons are exploratory") for limit in limits)


def test_a_compact_vocabulary_is_a_limit_and_a_bare_manifest_is_borne(make_study: MakeStudy) -> None:
    tree = study_tree()
    tree["base"]["data"]["vocabulary"] = "compact"
    facts = build_facts(make_study(tree=tree, manifest={"fingerprint": MANIFEST["fingerprint"]}))
    assert any("vocabulary is compact" in limit for limit in facts.limits)
    assert facts.epochs is None


def test_runs_made_on_different_machines_are_told(make_study: MakeStudy) -> None:
    result = make_study()
    path = OutPaths(result.out).run(result.rows[0].run_id).provenance
    write_json(path, read_json(path) | {"threads": 2, "git": "8ff85ff00000-dirty"})
    facts = build_facts(result)
    threads = next(row for row in facts.provenance if row.key == "threads")
    assert threads.values == {"2": 1, "1": 8}
    assert any("git, threads" in limit for limit in facts.limits)
    assert any("uncommitted" in limit for limit in facts.limits)


def _width(detail: str) -> int:
    return int(detail.rpartition("× ")[2])


def test_every_arm_is_set_against_the_control_and_one_that_failed_says_why(make_study: MakeStudy) -> None:
    outcomes = {("layers-12", seed): "failed" for seed in (1, 2, 3)}
    found = {(one.metric, one.arm): one for one in build_facts(make_study(outcomes=outcomes)).against_control}
    assert {arm for _, arm in found} == {"layers-12", "wide-1-parameters"}
    assert found["validation.loss", "layers-12"].p.kind == "undefined"
    wide = found["validation.loss", "wide-1-parameters"]
    assert wide.p.kind == "p-value" and wide.difference.kind == "estimate"
    assert wide.difference.low < wide.difference.value < wide.difference.high < 0


def test_under_looks_dunnett_has_the_level_of_the_look(make_study: MakeStudy) -> None:
    result = make_study()
    once = build_facts(result).against_control
    contrasts = [
        contrast.model_copy(update={"claim": contrast.claim.model_copy(update={"level": 0.05 / 3})})
        for contrast in result.plan.contrasts
    ]
    plan = result.plan.model_copy(update={"contrasts": tuple(contrasts), "looks": 3})
    third = build_facts(StudyResult(**{**vars(result), "plan": plan})).against_control
    assert {one.level for one in once} == {0.05} and {one.level for one in third} == {0.05 / 3}
    for one, other in zip(once, third, strict=True):
        assert isinstance(one.difference, Estimate) and isinstance(other.difference, Estimate)
        assert other.difference.level == pytest.approx(1 - 0.05 / 3)
        assert other.difference.low < one.difference.low
        assert one.p == other.p

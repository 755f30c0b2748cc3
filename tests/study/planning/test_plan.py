from pathlib import Path
from typing import Any

import pytest

from stacklab.api import load_study
from stacklab.base.canon import with_sum, without_sum
from stacklab.base.errors import ContrastError, DataError, MatchError, SpecError, UserError
from stacklab.base.files import read_json, write_json
from stacklab.cli.options import parse_seeds
from stacklab.run.resolve_data import task_facts
from stacklab.study.planning.contrast import differences
from stacklab.study.planning.plan import Plan, load_plan, make_plan, save_plan
from stacklab.study.planning.rates import check_runs
from stacklab.study.spec.load import builtin_studies, load_tree, read_study
from stacklab.study.spec.rates import TuningSpec
from stacklab.study.spec.request import StudyRequest
from stacklab.tasks.data import TaskData

TASK_STUDIES = [name for name in builtin_studies() if "task" in load_tree(builtin_studies()[name])[0]["base"]["data"]]


def planned(file: Path, *overrides: str, scale: str = "smoke", seeds: tuple[int, ...] | None = None) -> Plan:
    study = read_study(str(file), scale=scale, overrides=overrides)
    return make_plan(study, StudyRequest(scale=scale, out=file.parent / "out", seeds=seeds))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_a_plan_reads_back_equal(tiny: Path, tmp_path: Path) -> None:
    plan = planned(tiny)
    save_plan(plan, tmp_path)
    assert load_plan(tmp_path) == plan


def test_a_plan_of_another_version_says_how_to_go_on(tiny: Path, tmp_path: Path) -> None:
    save_plan(planned(tiny), tmp_path)
    path = tmp_path / "plan.json"
    content = without_sum(read_json(path))
    write_json(path, with_sum(content | {"sprouts": content.pop("seeds")}))
    with pytest.raises(DataError, match=r"plan\.json: not a plan of this version \(.*\); delete it, its runs are kept"):
        load_plan(tmp_path)


def test_an_edited_plan_is_refused_and_one_of_an_earlier_version_is_read(tiny: Path, tmp_path: Path) -> None:
    plan, path = planned(tiny), tmp_path / "plan.json"
    save_plan(plan, tmp_path)
    content = without_sum(read_json(path))
    path.write_text(path.read_text().replace('"steps": 6', '"steps": 7', 1))
    with pytest.raises(DataError, match=r"plan\.json: damaged or edited, .*; delete it, its runs are kept"):
        load_plan(tmp_path)
    write_json(path, content)
    assert load_plan(tmp_path) == plan


def test_runs_are_every_arm_with_every_seed_most_expensive_first(tiny: Path) -> None:
    plan = planned(tiny)
    runs = [(arm.name, seed) for arm, seed, _ in plan.runs()]
    assert set(runs) == {(arm, seed) for arm in ("deep", "shallow", "wide") for seed in (1, 2)}
    costs = [arm.train_flops for arm, _, _ in plan.runs()]
    assert costs == sorted(costs, reverse=True)
    assert len({spec.run_id for _, _, spec in plan.runs()}) == 6


def test_a_run_has_the_same_identity_in_every_scale_and_study_that_holds_it(tiny: Path) -> None:
    small = planned(tiny, "train.steps=4", seeds=(1,))
    other = planned(tiny, scale="one-arm")
    assert small.run_spec(small.arm("deep"), 1).run_id == other.run_spec(other.arm("deep"), 1).run_id


def test_a_contrast_lists_the_knob_and_the_solved_width_and_what_follows(tiny: Path) -> None:
    moved = {contrast.id: [row.path for row in contrast.differences] for contrast in planned(tiny).contrasts}
    assert moved == {
        "fit:shallow": ["model.num_layers"],
        "fit:wide": ["model.d_ff", "model.d_model", "model.num_layers"],
    }


def test_per_layer_settings_equal_in_all_layers_do_not_differ_by_depth_alone(tiny: Path) -> None:
    plan = planned(tiny)
    listed = planned(tiny, "model.num_heads=2", "model.d_ff=32")
    assert differences(plan.arm("shallow").config, listed.arm("shallow").config) == []


@pytest.mark.parametrize(
    ("overrides", "moved"),
    [
        (["model.norm.final=true"], []),
        (["model.norm.placement=post"], ["model.norm.final", "model.norm.placement"]),
        (["model.norm.placement=post", "model.norm.final=true"], ["model.norm.placement"]),
        (["model.init.std=0.1", "model.init.token_std=0.02", "model.init.position_std=0.02"], ["model.init.std"]),
        (["model.position=none"], ["model.position.kind"]),
        (["model.position={kind: factored, period: 4}"], ["model.position.kind", "model.position.period"]),
        (["model.linear_bias=false"], []),
        (["model.linear_bias.output=true"], ["model.linear_bias.output"]),
    ],
)
def test_effective_settings_are_compared(tiny: Path, overrides: list[str], moved: list[str]) -> None:
    pair = planned(tiny).arm("deep").config, planned(tiny, *overrides).arm("deep").config
    assert [row.path for row in differences(*pair)] == moved


def test_a_mask_that_shows_the_next_token_is_refused(tiny: Path) -> None:
    with pytest.raises(SpecError, match=r"arm deep: model\.mask = full shows each position the next token"):
        planned(tiny, "model.mask=full")


def test_an_arm_that_moves_something_undeclared_is_refused(tiny: Path) -> None:
    edit(tiny, "{model.num_layers: 1}\n  wide", "{model.num_layers: 1, train.batch_size: 4}\n  wide")
    with pytest.raises(ContrastError, match=r"arm shallow: changes train\.batch_size from 2 to 4, which is neither"):
        planned(tiny)


def test_a_consequence_that_is_not_declared_is_refused(tiny: Path) -> None:
    edit(tiny, "consequences: [model.d_model, model.d_ff]", "consequences: [model.d_model]")
    with pytest.raises(ContrastError, match=r"arm wide: changes model\.d_ff"):
        planned(tiny)


def test_bad_arms_are_refused_with_their_name(tiny: Path) -> None:
    edit(tiny, "change: {model.num_layers: 1}\n  wide", "change: {model.num_layer: 1}\n  wide")
    with pytest.raises(SpecError, match=r"arm shallow: model\.num_layer: unknown key; did you mean num_layers\?"):
        planned(tiny)


def test_a_control_out_of_tolerance_is_refused_with_its_name(tiny: Path) -> None:
    edit(tiny, "tolerance: 0.2", "tolerance: 0.0001")
    with pytest.raises(MatchError, match=r"arms\.wide\.match: no model\.d_model in multiples of 2"):
        planned(tiny)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tolerance: 0.2}", "tolerance: 0}", r"tiny\.yaml:\d+: arms\.wide\.match\.tolerance: .* greater than 0"),
        ("to: deep,", "to: wide,", r"arms\.wide\.match\.to: wide is matched to itself; name the arm"),
        ("match: {", "match: {knob: model.width, ", r"arms\.wide\.match\.knob: .*'model\.d_model', 'model\.d_ff' or"),
        ("tolerance: 0.2}", "knob: model.num_layers}", r"change sets model\.num_layers, which match solves"),
        ("total_parameters,", "step_time,", r"arms\.wide\.match\.quantity: .* or 'step_seconds'"),
        (
            "label: one layer\n",
            "label: one layer\n    match: {quantity: total_parameters, to: wide}\n",
            r"arms\.shallow\.match\.to: wide is itself a matched control; match the arm it copies",
        ),
        ("tolerance: 0.2}", "knob: model.d_ff, multiple_of: 900}", r"nearest: 900 \(\+\d+\.\d\d%\); widen"),
    ],
)
def test_a_match_that_cannot_be_is_refused_with_its_reason(tiny: Path, old: str, new: str, message: str) -> None:
    edit(tiny, old, new)
    with pytest.raises(SpecError, match=message):
        planned(tiny)


def test_a_claim_without_its_arm_or_its_problems_is_left_out(tiny: Path) -> None:
    edit(tiny, "metric: train_probe.loss", "metric: accuracy.hops_7")
    assert planned(tiny, scale="one-arm").not_asked[0] == "fit:shallow: this scale runs without the arm shallow"
    absent = "the data have no problems for accuracy.hops_7 (only for accuracy, accuracy.hops_"
    assert absent in planned(tiny).not_asked[0]
    assert "(evaluate.problems: 0)" in planned(tiny, "evaluate.problems=0").not_asked[0]


def test_a_contrast_knows_before_any_run_whether_it_is_paired(tiny: Path) -> None:
    edit(tiny, "change: {model.num_layers: 1}\n  wide", "change: {train.steps: 4}\n  wide")
    edit(tiny, "knobs: [model.num_layers]", "knobs: [model.num_layers, train.steps]")
    assert {contrast.id: contrast.pairing for contrast in planned(tiny).contrasts} == {
        "fit:shallow": "unpaired",
        "fit:wide": "paired",
    }


def test_positions_and_vocabulary_must_suffice(tiny: Path) -> None:
    with pytest.raises(SpecError, match=r"data\.block_size = 32 exceeds model\.context_length = 16"):
        planned(tiny, "model.context_length=16")
    with pytest.raises(SpecError, match=r"model\.vocab_size = 20 is below the 259 ids"):
        planned(tiny, "model.vocab_size=20")
    assert planned(tiny, "model.vocab_size=300").arm("deep").config.model.vocab_size == 300


def test_epochs_become_steps_and_steps_given_later_replace_them(tiny: Path) -> None:
    edit(tiny, "train: {steps: 6,", "train: {epochs: 2.5,")
    plan = planned(tiny)
    tokens = plan.data["splits"]["train"]["tokens_per_epoch"]
    steps = plan.arm("deep").config.train.steps
    assert 0 <= steps * 2 * 32 - 2.5 * tokens < 2 * 32
    (_, _, spec), *_ = plan.runs()
    assert (spec.train.steps, "epochs" in spec.dump()["train"]) == (steps, False)
    assert planned(tiny, scale="one-arm").arm("deep").config.train.steps == 4
    assert planned(tiny, "train.steps=9").arm("deep").config.train.steps == 9


def test_a_task_has_no_epochs(tmp_path: Path) -> None:
    study = read_study("parity", scale="smoke", overrides=["train.epochs=1"])
    with pytest.raises(SpecError, match=r"train\.epochs: fresh sequences have no epochs; set train\.steps"):
        make_plan(study, StudyRequest(scale="smoke", out=tmp_path))


def test_a_task_longer_than_the_context_is_refused_with_what_its_length_is_made_of(tmp_path: Path) -> None:
    study = read_study("depth-tasks", scale="smoke", overrides=["model.context_length=16"])
    with pytest.raises(SpecError, match=r"8 pairs x 2 tokens \+ the question = 17 exceeds model\.context_length = 16"):
        make_plan(study, StudyRequest(scale="smoke", out=tmp_path))


@pytest.mark.parametrize("override", ["model.context_length=16", "data.task.sequence_length=500000"])
def test_what_is_longer_than_the_context_is_refused_before_it_is_drawn(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacklab.study.planning.arms.resolve_data", lambda *_, **__: pytest.fail("drawn"))
    with pytest.raises(SpecError, match=r"the base: .* exceeds model\.context_length"):
        make_plan(read_study("hops", scale="smoke", overrides=[override]), StudyRequest(scale="smoke", out=tmp_path))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stop.metric=validation.acuracy", r"'validation\.acuracy' is not measured; choose one of .*\.k=1, "),
        ("train.stop.metric=validation.accuracy.k=7", "is not measured"),
        ("train.stop.at_least=1.5", r"train\.stop\.at_least = 1\.5: a share of answers is at most 1"),
    ],
)
def test_a_goal_that_cannot_be_reached_is_refused(override: str, message: str, tmp_path: Path) -> None:
    study = read_study("hops", scale="smoke", overrides=[override, "data.probe=64"])
    with pytest.raises(SpecError, match=message):
        make_plan(study, StudyRequest(scale="smoke", out=tmp_path))


def test_a_claim_on_a_slice_that_the_probe_does_not_hold_is_left_out(tmp_path: Path) -> None:
    plan = load_study("hops", overrides=["data.probe=1"], out=tmp_path).plan()
    assert not plan.contrasts
    assert any("no problems for validation.accuracy.k=1" in line for line in plan.not_asked)


@pytest.mark.parametrize("name", TASK_STUDIES)
def test_every_scale_of_the_studies_over_tasks_can_be_planned(name: str, tmp_path: Path) -> None:
    for scale in load_tree(builtin_studies()[name])[0]["scales"]:
        assert make_plan(read_study(name, scale=scale), StudyRequest(scale=scale, out=tmp_path)).runs()


def test_seeds_must_be_distinct(tiny: Path) -> None:
    with pytest.raises(SpecError, match="--seeds: seed 3 appears twice"):
        load_study(str(tiny), seeds=(3, 3))


def test_other_settings_or_seeds_have_a_folder_of_their_own() -> None:
    def variant(*overrides: str, **request: Any) -> str:
        return StudyRequest(overrides=overrides, **request).variant

    assert variant() == variant(engine="inline", workers=1, looks=2) == "", "which change no run and no claim"
    rates = TuningSpec(learning_rates=(1e-3,))
    others = {variant("a=1"), variant("a=2"), variant("a=1", seeds=(1,)), variant(seeds=(1,)), variant(tuning=rates)}
    assert len(others) == 5
    assert variant("a=1", "b=2") == variant("b=2", "a=1")
    assert variant("train.steps=2", seeds=(1, 2)) == "04090b1c", "folders of earlier versions are found again"


@pytest.mark.parametrize("facts", [{"splits": {"train": None}}, {"splits": {"train": {"tokens_per_epoch": "x"}}}])
def test_a_saved_plan_with_facts_of_no_data_is_named(tiny: Path, tmp_path: Path, facts: dict[str, object]) -> None:
    save_plan(planned(tiny), tmp_path)
    path = tmp_path / "plan.json"
    write_json(path, with_sum(without_sum(read_json(path)) | {"data": facts}))
    with pytest.raises(DataError, match=r"plan\.json: not a plan of this version \(data\)"):
        load_plan(tmp_path)


def test_more_runs_than_can_be_kept_are_refused_with_the_arithmetic(tiny: Path) -> None:
    assert len(planned(tiny, seeds=tuple(range(1, 31))).seeds) == 30
    study = read_study(str(tiny), scale="smoke", overrides=["data.tuning_fraction=0.1"])
    tuning = TuningSpec(learning_rates=tuple(1e-3 * n for n in range(1, 101)), seeds=tuple(range(2001, 3001)))
    with pytest.raises(
        SpecError, match=r"arms x 100,00\d runs of each \(seeds, rates\) = \d00,0\d\d runs, expected at "
    ):
        check_runs(study, tuple(study.arms), (1, 2), tuning=tuning, retry=None)


def test_more_seeds_than_a_plan_describes_are_refused(tiny: Path) -> None:
    with pytest.raises(SpecError, match="--seeds: 10,001 seeds, expected at most 10,000, since every seed is a run of"):
        load_study(str(tiny), seeds=tuple(range(10_001)))
    for number in (10**9, 10**30):
        with pytest.raises(SpecError, match=f"--seeds {number}: {number:,} seeds, expected at most 10,000"):
            parse_seeds(str(number))


def test_more_layers_than_a_plan_describes_are_refused_with_the_arithmetic(tiny: Path) -> None:
    message = (
        r"num_layers: 10,000,000 layers, expected at most 10,000, since a plan describes each; they would have at "
        r"least 2 x d_model² parameters each, 5.12 G together, 19.07 GiB in fp32"
    )
    with pytest.raises(SpecError, match=message):
        planned(tiny, "model.num_heads=1", "model.d_model=16", "model.num_layers=10000000")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "data.tokenizer={kind: bpe, vocab_size: 100000000000}",
            r"data.tokenizer.vocab_size = 100,000,000,000 needs 11.64 TiB of memory, this machine has .* GiB; lower it",
        ),
        (
            "data.source={kind: procedural-cot, records: 1000000000}",
            "procedural-cot: source.records = 1,000,000,000 needs 1.36 TiB of memory, this machine has",
        ),
        ("data.source={kind: generated-stories, records: 1000000000}", "generated-stories: source.records = 1,000,000"),
    ],
)
def test_what_this_machine_cannot_hold_is_refused_before_it_is_made(tiny: Path, override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        planned(tiny, override)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"kind": "k-hop", "hops": [1], "sequence_length": 1_000_000},
            r"data.task: 4,096 sequences of the baselines x 1,000,001 positions .* x 32 bytes are 122.07 GiB of memory"
            r", this machine has 2.00 GiB",
        ),
        (
            {"kind": "parity", "bits": 6000},
            r"6,001 slices x 4,096 sequences .* x 6,001 positions .* = 147.51 G numbers to ",
        ),
        ({"kind": "parity", "bits": 999_999}, "4,096 sequences of the baselines x 1,000,000 positions"),
    ],
)
def test_sequences_of_a_task_beyond_the_memory_are_refused_before_they_are_drawn(
    data: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacklab.base.hardware.machine_memory", lambda: 2 * 2**30)
    with pytest.raises(SpecError, match=message):
        task_facts(TaskData.model_validate({"task": data}))
    with pytest.raises(SpecError, match=r"data.task: 100,000,000 sequences of data.train_sequences x 10 pos"):
        task_facts(TaskData.model_validate({"task": {"kind": "parity", "bits": 9}, "train_sequences": 100_000_000}))


def test_settings_that_follow_from_the_data_and_fit_no_run_are_refused_in_one_line(tiny: Path) -> None:
    with pytest.raises(
        SpecError, match=r"the settings that follow from the data: .*steps has about \d\d digits, expec"
    ):
        planned(tiny, "train.epochs=1e30")

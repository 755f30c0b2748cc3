from pathlib import Path

import pytest

from stacklab.base.errors import SpecError
from stacklab.study.spec.load import builtin_studies, read_study


@pytest.mark.parametrize("name", builtin_studies())
def test_built_in_studies_load_at_every_scale(name: str) -> None:
    for scale in read_study(name, scale="smoke").scales:
        read_study(name, scale=scale)


@pytest.mark.parametrize("name", builtin_studies())
def test_the_smoke_scale_of_a_built_in_study_is_its_only_demonstration(name: str) -> None:
    scales = read_study(name, scale="smoke").scales
    assert [scale for scale, settings in scales.items() if settings.demonstration] == ["smoke"]


def test_an_override_that_reaches_no_arm_is_refused() -> None:
    with pytest.raises(SpecError, match=r"data\.task\.bits: every arm of scale smoke sets data\.task itself"):
        read_study("parity", scale="smoke", overrides=["data.task.bits=30"])
    assert read_study("depth-tasks", scale="smoke", overrides=["train.batch_size=8"]).base.train.batch_size == 8


def test_a_scale_and_then_an_override_change_the_base(tiny: Path) -> None:
    assert read_study(str(tiny), scale="smoke").base.train.steps == 6
    assert read_study(str(tiny), scale="one-arm").base.train.steps == 4
    assert read_study(str(tiny), scale="one-arm", overrides=["train.steps=9"]).base.train.steps == 9


def test_an_override_of_a_group_keeps_its_other_settings_unless_its_kind_changes(tiny: Path) -> None:
    kept = read_study(str(tiny), scale="smoke", overrides=["train.schedule={final_ratio: 0.5}"])
    assert kept.base.train.schedule.warmup_steps == 1
    other = read_study(str(tiny), scale="smoke", overrides=["data.source={kind: file, path: x.jsonl}"])
    assert other.base.data.source.dump()["path"] == "x.jsonl"


BAD = [
    ("steps: 6", "step: 6", r"tiny\.yaml:12: base\.train\.step: unknown key; did you mean steps\?"),
    ("steps: 6", "steps: 6, symbols: 3", r"base\.train\.symbols: unknown key here; it belongs to other settings$"),
    ("steps: 6", "steps: six", r"tiny\.yaml:12: base\.train\.steps: .*integer.*'six'"),
    ("steps: 6", "steps: 0", r"base\.train\.steps: .*greater than 0"),
    (
        "num_heads: 2",
        "num_heads: 3",
        r"tiny\.yaml:11: base\.model: num_heads = 3 \(layer 0\) does not divide d_model = 8",
    ),
    ("num_heads: 2", "num_heads: [2, 2, 2]", r"base\.model: num_heads lists 3 values for num_layers = 2"),
    ("kind: bytes", "kind: bite", r"tiny\.yaml:8: base\.data\.tokenizer: .*'bite'"),
    ("label: two layers", "label: on", r"tiny\.yaml:17: on: write true or false, or quote the text"),
    ("label: two layers", "label: true", r"tiny\.yaml:17: arms\.deep\.label: got the boolean True; quote the text"),
    ("to: deep", "to: deeep", r"arms\.wide\.match\.to names the arm 'deeep'"),
    ("seeds: [1, 2]", "seeds: [1, 1]", r"scales\.smoke\.seeds: seed 1 appears twice"),
    ("direction: lower", "direction: equivalent", "direction equivalent with no margin: equivalent needs a margin"),
    (
        "direction: lower",
        "direction: lower\n    margin: 0.1",
        r"yaml:\d+: claims\.0: direction lower with margin 0\.1",
    ),
    ("direction: lower", "direction: equivalent\n    margin: -0.05", r"margin: .*greater than 0, got '-0\.05'"),
    (
        "direction: lower",
        "direction: equivalent\n    margin: 0",
        r"tiny\.yaml:\d+: claims\.0\.margin: .*greater than 0",
    ),
    ("direction: lower", "direction: equivalent\n    margin: .inf", r"tiny\.yaml:\d+: \.inf: write a finite number"),
    (
        "direction: lower",
        "direction: lower\n    level: 0.45",
        r"claims\.0\.level: 0\.45 means an interval of 55 % confidence, .*at most 0\.1 \(90 %\)",
    ),
    ("direction: lower", "direction: lower\n    level: 0.1001", r"claims\.0\.level: .*at most 0\.1"),
    ("direction: lower", "direction: lower\n    level: 0", r"claims\.0\.level: .*greater than 0"),
    ("direction: lower", "direction: lower\n    power: 80", r"claims\.0\.power: .*less than 1, got '80'"),
    (
        "metric: train_probe.loss",
        "metric: train_loss",
        r"tiny\.yaml:\d+: claims\.0\.metric: no run has the metric 'train_lo",
    ),
    ("metric: train_probe.loss", "metric: accuracy.hops", r"'accuracy\.hops'; metrics are train_probe\.loss, .*hops_N"),
    ("    arm: deep", "    arm: dep", r"claim fit names the arm 'dep'; the arms are deep, shallow, wide"),
    ("[shallow, wide]", "[shallow, wid]", r"claim fit names the arm 'wid'; the arms are deep, shallow, wide"),
    ("[shallow, wide]", "[shallow, deep]", r"claims\.0: the arm 'deep' is compared with itself"),
    ("[model.num_layers]", "[]", "knobs"),
    ("name: tiny", "name: ../tiny", "name: String should match pattern"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_a_bad_file_is_one_line_with_its_place(tiny: Path, old: str, new: str, message: str) -> None:
    tiny.write_text(tiny.read_text().replace(old, new, 1))
    with pytest.raises(SpecError, match=message) as caught:
        read_study(str(tiny), scale="smoke")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.n_layers=3",
            r"override model\.n_layers=3: base\.model\.n_layers: unknown key; did you mean num_layers\?",
        ),
        ("train.schedule.warmup=3", r"warmup: unknown key; did you mean warmup_steps\?"),
        ("model.alphabet=3", r"base\.model\.alphabet: unknown key$"),
        ("model.d_model=x", "valid integer"),
        ("optimizer.lr=1", "not a setting"),
        ("train.steps.x=1", "is not a group of settings"),
        ("train.steps", "expected path=value"),
        ("model.num_heads=[1,2,3]", "num_heads lists 3 values"),
    ],
)
def test_a_bad_override_is_named(tiny: Path, override: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read_study(str(tiny), scale="smoke", overrides=[override])


def test_overrides_are_judged_together_and_the_one_at_fault_is_named(tmp_path: Path) -> None:
    """Chains before nodes would not fit on the way."""
    both = ["data.task.chains=11", "data.task.nodes=40"]
    study = read_study("two-hop", scale="smoke", overrides=[*both, "model.context_length=64"])
    assert study.base.data.dump()["task"]["chains"] == 11
    with pytest.raises(SpecError, match=r"^override train\.steps=x: base\.train\.steps: "):
        read_study("two-hop", scale="smoke", overrides=[*both, "train.steps=x"])
    with pytest.raises(SpecError, match=r"^override data\.task\.chains=11: base\.data\.task.*nodes is 30"):
        read_study("two-hop", scale="smoke", overrides=["train.steps=5", "data.task.chains=11"])


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"did you mean depth\?"):
        read_study("dept", scale="smoke")
    with pytest.raises(SpecError, match="no scale 'huge'; this study has smoke"):
        read_study("depth", scale="huge")
    with pytest.raises(SpecError, match="no such study file"):
        read_study("nowhere.yaml", scale="smoke")

from pathlib import Path

import pytest
from tests.study.rows import LOSSES, rows

from stacklab.base.errors import DataError, SpecError
from stacklab.stats.result import Estimate
from stacklab.study.planning.plan import make_plan, save_plan
from stacklab.study.results.compare import _incomparable, compare
from stacklab.study.results.references import Subject, find_subject
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest

SEEDS = (1, 2, 3, 4)


@pytest.fixture
def out(tiny: Path) -> Path:
    return tiny.parent / "out"


def subject(tiny: Path, out: Path, arm: str, *overrides: str) -> Subject:
    """An arm of the tiny study with results made up."""
    spec = read_study(str(tiny), scale="smoke", overrides=overrides)
    plan = make_plan(spec, StudyRequest(scale="smoke", out=out, seeds=SEEDS))
    found = [row for row in rows(plan) if row.arm == arm]
    found = [row.model_copy(update={"metrics": row.metrics | {"validation.bits_per_byte": 2.0}}) for row in found]
    return Subject(arm, plan.arm(arm).config, plan.data_fingerprint, found, out)


def test_arms_on_the_same_batches_are_paired_by_seed(tiny: Path, out: Path) -> None:
    found = compare(subject(tiny, out, "deep"), subject(tiny, out, "shallow"), level=0.05)
    (loss, _) = found.metrics
    assert found.pairing == "paired" and not found.refused
    assert loss.left == tuple(LOSSES["deep"]) and loss.right == tuple(LOSSES["shallow"])
    assert isinstance(loss.difference, Estimate) and loss.difference.method == "paired t"
    assert loss.difference.value == pytest.approx(-0.975)
    assert isinstance(loss.superiority, Estimate) and loss.superiority.value == 1.0


def test_other_batches_are_compared_unpaired(tiny: Path, out: Path) -> None:
    left, right = subject(tiny, out, "deep"), subject(tiny, out, "shallow")
    right = right._replace(rows=[row.model_copy(update={"batches": "other"}) for row in right.rows])
    found = compare(left, right, level=0.05)
    assert found.pairing == "unpaired"
    assert isinstance(found.metrics[0].difference, Estimate) and "Welch" in found.metrics[0].difference.method
    share = found.metrics[0].superiority
    assert isinstance(share, Estimate) and "Mann-Whitney" in share.method


def test_another_tokenizer_leaves_bits_per_byte_alone(tiny: Path, out: Path) -> None:
    other = subject(tiny, out, "deep", "data.tokenizer={kind: bpe, vocab_size: 300}")
    found = compare(subject(tiny, out, "deep"), other, level=0.05)
    assert [row.metric for row in found.metrics] == ["validation.bits_per_byte"]
    assert found.refused == ("train_probe.loss: other data or another tokenizer",)


def test_another_held_out_text_is_refused(tiny: Path, out: Path) -> None:
    other = subject(tiny, out, "deep", "data.split_seed=1")
    with pytest.raises(DataError, match="are not comparable: other data"):
        compare(subject(tiny, out, "deep"), other, level=0.05)


def test_losses_over_other_tokens_are_refused(tiny: Path, out: Path) -> None:
    other = subject(tiny, out, "deep", "data.packing=documents", "data.tokenizer={kind: bpe, vocab_size: 300}")
    with pytest.raises(DataError, match="not comparable"):
        compare(subject(tiny, out, "deep"), other, level=0.05)
    other = subject(tiny, out, "deep", "data.packing=documents")
    found = _incomparable("validation.bits_per_byte", subject(tiny, out, "deep"), other)
    assert found == "the loss covers other tokens (data.packing)"


def test_another_probe_is_refused_for_its_metric_only(tiny: Path, out: Path) -> None:
    other = subject(tiny, out, "deep", "evaluate.train_probe_blocks=1")
    found = compare(subject(tiny, out, "deep"), other, level=0.05)
    assert found.refused == (
        "train_probe.loss: measured under other settings (evaluate.train_probe_blocks 2 against 1)",
    )


def test_arms_are_found_by_study_and_by_folder(tiny: Path, out: Path) -> None:
    by_file = find_subject(f"{tiny}/deep", scale="smoke", out=out)
    assert [row.status for row in by_file.rows] == ["missing", "missing"]
    with pytest.raises(DataError, match="has no finished run"):
        compare(by_file, by_file, level=0.05)
    plan = make_plan(read_study(str(tiny), scale="smoke"), StudyRequest(scale="smoke", out=out))
    save_plan(plan, plan.folder(out))
    assert find_subject("tiny-smoke/deep", scale="smoke", out=out).config == by_file.config
    with pytest.raises(DataError, match="has no arm 'deeep'; it has deep, shallow, wide"):
        find_subject("tiny-smoke/deeep", scale="smoke", out=out)
    with pytest.raises(DataError, match="expected one run that starts with 'nothing'"):
        find_subject("nothing", scale="smoke", out=out)
    with pytest.raises(SpecError, match="no study is called 'nothing'"):
        find_subject("nothing/deep", scale="smoke", out=out)

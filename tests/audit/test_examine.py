"""The findings about the depth experiment must come out of its documents by computation."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import stacklab.audit
from stacklab.audit.examine import audit
from stacklab.audit.spec import Audit, Finding
from stacklab.base.errors import DataError
from stacklab.stats.result import Estimate, Undefined

Find = Callable[..., Finding]
SHALLOW, DEEP = "1 Attention Layer", "12 Attention Layers"


@pytest.fixture(scope="module")
def depth(documents: tuple[Path, Path]) -> Audit:
    return audit(documents[:1])


def test_two_logs_are_read_with_their_names(depth: Audit) -> None:
    assert [(log.name, log.points, log.last_step) for log in depth.logs] == [
        (SHALLOW, {"train": 21, "validation": 21}, 500),
        (DEEP, {"train": 21, "validation": 21}, 500),
    ]
    assert {(f.kind, f.severity) for f in depth.findings if f.group == "log"} <= {("log-aside", "note")}


def test_it_begins_with_the_claim_and_whether_the_numbers_carry_it(depth: Audit) -> None:
    assert depth.conclusion.startswith(
        'The text states: "HYPOTHESIS: PROVED". The numbers do not carry that claim: there is one run per arm, '
    )
    for reason in ("training and validation loss disagree", "best validation losses are tied", "2 stated numbers cont"):
        assert reason in depth.conclusion


def test_the_published_counts_follow_from_the_tokenizers_length_and_the_block(depth: Audit, find: Find) -> None:
    stated, found = find(depth, "parameters-stated"), find(depth, "parameters-reproduced")
    assert stated.severity == "contradiction"
    assert "60.51 M and 79.99 M" in stated.sentence
    assert "60.21 M and 79.69 M" in stated.sentence
    assert (found.numbers["count_1_layers"], found.numbers["count_12_layers"]) == (60_207_744, 79_688_832)
    assert (found.numbers["vocab_size"], found.numbers["positions"]) == (151_665, 512)
    assert "no linear biases" in found.sentence


def test_the_rows_that_the_printed_digits_leave_open(depth: Audit, find: Find) -> None:
    found = find(depth, "parameters-reproduced").numbers
    rows = int(found["vocab_size"]) + int(found["positions"])

    def prints_alike(other: int) -> bool:
        more = (other - rows) * 384
        return [round((found[f"count_{n}_layers"] + more) / 1e6, 2) for n in (1, 12)] == [60.21, 79.69]

    low, high = int(found["rows_low"]), int(found["rows_high"])
    assert [prints_alike(n) for n in (low - 1, low, high, high + 1)] == [False, True, True, False]


def test_the_file_sizes_are_four_bytes_a_parameter(depth: Audit, find: Find) -> None:
    for name, megabytes, parameters in (("Shallow", 240.84, 60_207_744), ("Deep", 318.80, 79_688_832)):
        found = find(depth, "file-size", name)
        assert found.severity == "agreement"
        assert found.numbers["parameters"] == parameters
        assert found.numbers["weights_bytes"] == 4 * parameters
        assert found.numbers["printed_bytes"] == pytest.approx(megabytes * 1e6)
        assert 0 < found.numbers["excess_bytes"] < 50_000


def test_the_noise_of_a_logged_loss(depth: Audit, find: Find) -> None:
    assert find(depth, "noise", SHALLOW).numbers["spread"] == pytest.approx(0.31, abs=0.005)
    assert find(depth, "noise", DEEP).numbers["spread"] == pytest.approx(0.35, abs=0.005)


def test_the_last_gap_is_one_draw(depth: Audit, find: Find) -> None:
    found = find(depth, "last-gap")
    assert found.numbers["last_gap"] == pytest.approx(-0.84, abs=0.005)
    assert found.numbers["window"] == 7
    assert found.numbers["mean_gap_last_7"] == pytest.approx(-0.48, abs=0.005)
    assert isinstance(found.result, Estimate)
    assert found.result.low < 0 < found.result.high
    assert found.severity == "caution"


def test_one_order_of_the_data_is_neither_shown_nor_excluded(depth: Audit, find: Find) -> None:
    found = find(depth, "data-order").result
    assert isinstance(found, Estimate)
    assert found.n == 17
    assert -0.6 < found.low < 0 < found.high < 0.6


def test_validation_is_tied_at_its_best_and_apart_at_the_end(depth: Audit, find: Find) -> None:
    best = find(depth, "best-validation")
    assert (best.numbers["best_first"], best.numbers["best_second"]) == (5.6895, 5.6913)
    assert (best.numbers["best_first_step"], best.numbers["best_second_step"]) == (350, 275)
    assert best.numbers["final_gap"] == pytest.approx(0.126, abs=0.0006)
    assert "tied" in best.sentence
    assert find(depth, "overfitting", DEEP).severity == "caution"
    assert find(depth, "overfitting", DEEP).numbers["rise"] == pytest.approx(5.8487 - 5.6913)
    assert "disagree" in find(depth, "train-against-validation").sentence


def test_an_epoch_has_half_the_stated_tokens(depth: Audit, find: Find) -> None:
    found = find(depth, "tokens-per-epoch")
    assert found.numbers["tokens_per_epoch"] == 204_800
    assert found.numbers["stated_tokens"] == 420_000
    assert found.severity == "contradiction"
    epochs = find(depth, "steps-per-epoch", SHALLOW)
    assert epochs.numbers["low"] <= 25 < epochs.numbers["high"]
    assert epochs.severity == "agreement"


def test_one_seed_supports_no_interval(depth: Audit, find: Find) -> None:
    found = find(depth, "seeds")
    assert found.numbers["runs_per_arm"] == 1
    assert found.numbers["smallest_sign_flip_p"] == 1
    assert isinstance(found.result, Undefined)


def test_the_proposed_width_is_too_large(documents: tuple[Path, Path], depth: Audit, find: Find) -> None:
    solved = find(depth, "control-width")
    assert solved.numbers["d_model_by_total_parameters"] == 504
    assert solved.numbers["d_model_by_flops_per_token"] == 529
    assert solved.numbers["d_model_by_non_embedding_parameters"] == pytest.approx(1_330, abs=1)
    assert solved.numbers["d_model_by_flops_per_token_multiple_of_heads"] == 528
    assert "proposed_d_model" not in solved.numbers, "the first document does not propose a width"
    proposed = find(audit(documents), "control-width")
    assert proposed.numbers["proposed_d_model"] == 600
    assert proposed.numbers["proposed_parameters"] == pytest.approx(95.6e6, abs=0.05e6)
    assert proposed.severity == "contradiction"


def test_the_article_alone_is_judged_by_its_stated_numbers(documents: tuple[Path, Path], find: Find) -> None:
    found = audit(documents[1:])
    assert found.logs == ()
    assert find(found, "no-log").severity == "note"
    assert find(found, "parameters-stated").severity == "contradiction"


def test_no_answer_is_written_into_the_source() -> None:
    folder = Path(stacklab.audit.__file__).parent
    code = "\n".join(path.read_text() for path in folder.rglob("*.py"))
    digits = set(re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d)_(?=\d)", "", code)))
    answers = """60207744 79688832 60.21 79.69 60.51 79.99 240.84 318.80 0.31 0.35 0.84 0.48 5.6895 5.6913 0.126 204800
        420000 504 529 1330 1331 600 1028"""
    assert not digits & set(answers.split())


def test_an_audit_never_imports_torch() -> None:
    code = "import sys, stacklab.audit.examine, stacklab.audit.reading.events; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_seeds_of_one_arm_get_an_interval(tmp_path: Path, find: Find) -> None:
    path = tmp_path / "runs.csv"
    rows = [f"{arm},{seed},{step},{2 + seed / 10}" for arm in ("a", "b") for seed in range(6) for step in (1, 2)]
    path.write_text("arm,seed,step,train_loss\n" + "\n".join(rows) + "\n")
    found = audit([path])
    assert find(found, "seeds", "all arms").numbers["runs_per_arm"] == 6
    mean = find(found, "seeds", "b").result
    assert isinstance(mean, Estimate)
    assert mean.value == pytest.approx(2.25)
    assert [f.subject for f in found.findings if f.kind == "last-gap"] == ["b seed 0 - a seed 0"]


def test_too_few_stated_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_text("A model with 12 heads.\n")
    with pytest.raises(DataError, match=r"page\.txt: no training log, and too few stated numbers"):
        audit([path])

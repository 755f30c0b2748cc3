"""What is a log in a text: its numbers, counters, measures and limits. The shapes are those of published logs."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stacklab.audit.examine import audit
from stacklab.audit.reading.lines import read_lines
from stacklab.audit.reading.log import Log, Metric
from stacklab.audit.reading.source import read_source
from stacklab.audit.spec import Audit, Finding
from stacklab.base.errors import DataError

Find = Callable[..., Finding]


def logs_of(text: str) -> list[Log]:
    logs, _ = read_lines(list(enumerate(text.splitlines(), start=1)), source="log.txt", stem="log", whole=True)
    return logs


def points(log: Log, metric: Metric = "train") -> list[tuple[float, float]]:
    return [(reading.step, reading.value) for reading in log.series[metric]]


def audited(tmp_path: Path, text: str, **stated: str) -> Audit:
    (tmp_path / "log.txt").write_text(text)
    (tmp_path / "stated.yaml").write_text(stated.get("stated", ""))
    return audit([tmp_path / "log.txt"], stated=tmp_path / "stated.yaml" if stated else None)


THOUSANDS = "".join(
    f"step {step:,}/3,000 | train loss {train:.2f} | val loss {val:.2f}\n"
    for step, train, val in [
        (500, 4.10, 4.20),
        (1000, 3.50, 3.60),
        (1500, 3.20, 3.35),
        (2000, 3.00, 3.20),
        (2500, 2.90, 3.15),
        (3000, 2.85, 3.12),
    ]
)


def test_steps_with_thousands_separators_are_read_whole(tmp_path: Path, find: Find) -> None:
    (log,) = logs_of(THOUSANDS)
    assert [step for step, _ in points(log)] == [500, 1000, 1500, 2000, 2500, 3000]
    assert log.planned_steps == 3000
    found = audited(tmp_path, THOUSANDS)
    assert not [finding for finding in found.findings if finding.group == "log"]
    assert find(found, "overfitting").numbers["best_step"] == 3000


def test_decimal_commas_are_read_whole() -> None:
    (log,) = logs_of("step 10: loss 4,21\nstep 20: loss 3,5\n")
    assert points(log) == [(10, 4.21), (20, 3.5)]


@pytest.mark.parametrize(
    "line",
    [
        "step 1.500: loss 3.2",
        "step 2k: loss 3.2",
        "step 1 500: loss 3.2",
        "step 50%: loss 3.2",
        "step 20: loss 3,245",
        "step 20: loss 32%",
        "step 20: loss 3.2/3.3",
        "step 20: loss 2 345",
        "step-20: loss 3.2",
    ],
)
def test_a_number_that_can_be_read_in_two_ways_is_refused_with_its_line(line: str, tmp_path: Path, find: Find) -> None:
    found = audited(tmp_path, f"step 10: loss 3.5\n{line}\nstep 30: loss 3.1\n")
    unread = find(found, "log-unread")
    assert unread.severity == "caution"
    assert "log.txt:2: '" in unread.sentence
    assert found.logs[0].points == {"train": 2}
    assert "lines that name a loss were not understood" in found.conclusion


LITGPT = "".join(
    f"Epoch {1 + (step > 40)} | iter {4 * step} step {step} | loss train: {train}, val: {val} | "
    "iter time: 110.35 ms (step) remaining time: 0:01:43\n"
    for step, train, val in [
        (10, "7.846", "n/a"),
        (20, "6.75", "n/a"),
        (30, "6.315", "6.300"),
        (40, "6.0", "6.300"),
        (50, "5.909", "6.300"),
        (60, "5.709", "5.900"),
        (70, "5.609", "5.900"),
        (80, "5.509", "5.900"),
    ]
)


def test_the_optimisers_step_is_the_step_and_a_value_carried_on_is_one_evaluation(tmp_path: Path, find: Find) -> None:
    found = audited(tmp_path, LITGPT, stated="training: {steps: 80, epochs: 2}")
    assert found.logs[0].points == {"train": 8, "validation": 2}
    assert found.logs[0].last_step == 80
    epochs = find(found, "steps-per-epoch")
    assert (epochs.numbers["low"], epochs.numbers["high"], epochs.severity) == (40, 50, "agreement")
    assert find(found, "log-carried").numbers["count"] == 4


def test_values_carried_on_are_seen_without_a_sign_and_short_values_are_kept() -> None:
    values = ["2.512", "2.512", "2.512", "2.404", "2.404", "2.404"]
    text = "".join(f"step {n}: train loss {3 - n / 10:.3f}, val loss {value}\n" for n, value in enumerate(values))
    assert points(logs_of(text)[0], "validation") == [(0, 2.512), (3, 2.404)]
    assert len(points(logs_of(text.replace("2.512", "2.5").replace("2.404", "2.4"))[0], "validation")) == 6


def test_a_line_in_micro_batches_is_converted_where_the_others_tell_how() -> None:
    text = (
        "iter 1760 | step 220: loss 1.60, iter time: 263.85 ms (optimizer.step)\niter 1770 | step 221: loss 1.52\n"
        "iter 1780 | step 222: loss 1.59, iter time: 89.64 ms\niter 1800: val loss 1.73, val time: 3778.02 ms\n"
    )
    (log,) = logs_of(text)
    assert points(log) == [(220, 1.60), (221, 1.52), (222, 1.59)]
    assert points(log, "validation") == [(225, 1.73)]


def test_a_line_in_another_unit_is_not_mixed_in() -> None:
    (log,) = logs_of("iter 7 step 10 loss 3.0\niter 8 step 20 loss 2.9\niter 9: val loss 2.8\n")
    assert "validation" not in log.series
    assert [trouble.kind for trouble in log.troubles] == ["log-unread"]


def test_steps_that_restart_with_every_epoch_are_counted_on() -> None:
    text = "".join(f"epoch {e} step {s}/100 loss {5 - e - s / 100}\n" for e in (1, 2) for s in (50, 100))
    (log,) = logs_of(text)
    assert [step for step, _ in points(log)] == [50, 100, 150, 200]
    assert [trouble.kind for trouble in log.troubles] == ["log-units"]


def test_a_validation_of_an_epoch_belongs_to_its_last_step_and_the_mean_over_it_nowhere() -> None:
    (log,) = logs_of("Epoch 1, step 10, loss 3.1\nEpoch 1, step 20, loss 3.0\nEpoch 1: train loss 3.3, val loss 3.2\n")
    assert points(log) == [(10, 3.1), (20, 3.0)]
    assert points(log, "validation") == [(20, 3.2)]


PAGE = """First try, without weight decay:

step 0, loss: 10.95
step 1, loss: 9.92
step 2, loss: 9.23

Second try, with weight decay:

step 1, loss: 9.5
step 2, loss: 9.24
step 3, loss: 9.76
"""
STEPS = "step 5: loss 3.0\nstep 6: loss 2.9\n"


def test_a_second_run_of_a_page_begins_after_prose_at_another_first_step() -> None:
    first, second = logs_of(PAGE)
    assert (first.name, points(first)) == ("First try, without weight decay", [(0, 10.95), (1, 9.92), (2, 9.23)])
    assert (second.name, points(second)) == ("Second try, with weight decay", [(1, 9.5), (2, 9.24), (3, 9.76)])
    assert first.troubles == second.troubles == ()


@pytest.mark.parametrize(
    ("between", "logs"),
    [
        ("## With dropout\n\nstep 7: loss 2.8\n", 2),
        ("weight_decay = 0.2\nstep 7: loss 2.8\n", 2),
        ("weight_decay = 0.1\nstep 7: loss 2.8\n", 1),
        ("saving checkpoint to out\nstep 7: loss 2.8\n", 1),
        ("a crash\nstep 6: loss 2.8\n", 1),
        ("a crash\nstep 5: loss 2.8\nstep 6: loss 2.7\n", 2),
        ("a crash\nResuming training from out\nstep 6: loss 2.8\nstep 7: loss 2.7\n", 1),
    ],
)
def test_what_opens_a_log(between: str, logs: int) -> None:
    assert len(logs_of(f"weight_decay = 0.1\n{STEPS}{between}")) == logs


def test_other_measures_are_kept_apart_from_nats_and_are_no_damage(tmp_path: Path, find: Find) -> None:
    text = (
        "Step 00000 | Validation bpb: 3.3000\nstep 00000/00500 (0.00%) | loss: 11.09 | lrm: 1.00\n"
        "step 00001/00500 (0.20%) | loss: 10.80 | lrm: 1.00\nStep 00250 | Validation bpb: 1.0800\n"
        "step 00250/00500 (50.0%) | loss: 4.11 | lrm: 1.00\nstep 00499/00500 (99.8%) | loss: 3.40 | lrm: 1.00\n"
        "Step 00500 | Validation bpb: 0.9800\n"
    )
    found = audited(tmp_path, text)
    assert found.logs[0].points == {"train": 4, "validation bits per byte": 3}
    assert not [finding for finding in found.findings if finding.group == "log"]
    assert find(found, "overfitting").sentence == (
        "The last validation bits per byte, 0.9800 at step 500, is the best one."
    )


def test_a_perplexity_and_bits_per_character_are_no_nats() -> None:
    (log,) = logs_of("epoch 1 | valid loss 4.80 | valid ppl 121.51 | test bpc 1.2\n")
    assert points(log, "validation") == [(1, 4.8)]
    assert points(log, "validation perplexity") == [(1, 121.51)]
    assert points(log, "validation bits per character") == [(1, 1.2)]


@pytest.mark.parametrize(
    ("line", "metric", "value"),
    [
        ("[val] step 10 | loss 2.3", "validation", 2.3),
        ("step 10 | val | loss 2.3", "validation", 2.3),
        ("validate step: 10  loss: 2.3", "validation", 2.3),
        ("step 10 | aux loss 0.01 | loss 2.3", "train", 2.3),
        ("step 10 | mtp_1_loss 5.0 | total loss 2.3", "train", 2.3),
        ("step 10 | loss scale 128 | lm loss 2.3", "train", 2.3),
        ("loss: 2.3 | step: 10", "train", 2.3),
        ("2025-03-12 11:10:20,511 - root - INFO - step: 10  loss: 2.3", "train", 2.3),
    ],
)
def test_which_part_of_a_line_is_the_loss(line: str, metric: Metric, value: float) -> None:
    (log,) = logs_of(f"{line}\n")
    assert points(log, metric) == [(10, value)]
    assert list(log.series) == [metric]


UNREAD = "".join(f"at {n} the loss is {6 - n / 100}\n" for n in range(3))


def test_lines_that_are_not_understood_are_counted_and_shown(tmp_path: Path, find: Find) -> None:
    found = find(audited(tmp_path, f"step 1: loss 6.0\n{UNREAD}step 900: loss 5.0\n"), "log-unread")
    assert found.numbers == {"count": 3, "first_line": 2}
    assert "log.txt:2: 'at 0 the loss is 6.0'" in found.sentence


def test_nothing_is_missing_where_lines_were_not_understood(tmp_path: Path) -> None:
    steps = "".join(f"step {n}/900: loss 6.0\n" for n in (1, 2, 3, 4, 5, 500))
    kinds = {finding.kind for finding in audited(tmp_path, f"{steps}{UNREAD}").findings}
    assert "log-unread" in kinds
    assert not kinds & {"log-steps-missing", "log-short"}


def test_a_file_of_nothing_but_such_lines_is_refused_with_the_first_place(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(UNREAD)
    with pytest.raises(DataError, match=r"log\.txt:1: a loss that cannot be read \('at 0 the loss is 6\.0'\)"):
        read_source(tmp_path / "log.txt")


def test_a_summary_and_a_sentence_are_no_readings_and_no_accusation(tmp_path: Path, find: Find) -> None:
    text = "step 1: loss 6.0\nstep 2: loss 5.0\nBest: step 2, loss 5.0\nWe see that a loss of 5.0 is good.\n"
    found = audited(tmp_path, text)
    assert found.logs[0].points == {"train": 2}
    assert find(found, "log-aside").severity == "note"
    assert "not understood" not in found.conclusion


def test_lines_of_a_shorter_kind_that_come_again_are_not_damaged() -> None:
    text = "".join(f"step {n}: loss 3.0{' val loss 3.1' * (n % 3 == 0)}\n" for n in range(9))
    assert logs_of(text)[0].troubles == ()


@pytest.mark.parametrize(
    ("steps", "kinds"),
    [
        ("0 10 20 30 40 50 60 70 80 90", set()),
        ("1 2 3 4 5 6 7 8 9 10 20 30 40 50 60 70 80 90 100", set()),
        ("10 20 30 40 50 60 70 80 90", {"log-short"}),
        ("10 20 30 40 50 60 70 80 100", {"log-steps-missing"}),
    ],
)
def test_the_spacing_of_a_log_is_no_gap_and_no_early_end(steps: str, kinds: set[str], tmp_path: Path) -> None:
    found = audited(tmp_path, "".join(f"step {step}/100: loss 3.0\n" for step in steps.split()))
    assert {finding.kind for finding in found.findings if finding.group == "log"} == kinds


def test_planned_epochs_are_no_planned_steps(tmp_path: Path) -> None:
    text = "epoch 1/2: loss 3.0\nepoch 2/2: loss 2.0\n"
    found = audited(tmp_path, text, stated="training: {epochs: 2, batch_size: 2, block_size: 8, corpus_tokens: 9000}")
    assert "tokens-per-epoch" not in {finding.kind for finding in found.findings}


def test_colours_are_no_text() -> None:
    (log,) = logs_of("\x1b[32mstep 0: train loss 4.2\x1b[0m\n\x1b[1;32mstep 250: train loss \x1b[31m2.5\x1b[0m\n")
    assert points(log) == [(0, 4.2), (250, 2.5)]


@pytest.mark.parametrize("piece", ["step ", "1,", "1.", "loss 1", "a/", "=:", "'x': ", "{", "[", "val - ", "\x1b[0"])
def test_hostile_lines_take_no_time(piece: str) -> None:
    started = time.perf_counter()
    logs_of(piece * (400_000 // len(piece)) + "\n")
    assert time.perf_counter() - started < 5

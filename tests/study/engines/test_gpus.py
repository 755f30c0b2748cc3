"""Runs on pretended cards: how they are dealt, and what happens when a card is out of memory."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.run.tasks import make_runs, task_spec
from tests.study.engines.fake_runs import make_run, seen, spans
from tests.study.engines.helpers import TARGET, Notes

from stacklab.base.errors import CheckpointError, SpecError
from stacklab.run.paths import RunPaths
from stacklab.study.engines import machine, processes
from stacklab.study.engines.cards import Cards
from stacklab.study.engines.inline import InlineEngine
from stacklab.study.engines.processes import ProcessesEngine, ReplicasEngine
from stacklab.study.engines.protocol import RunEnd
from stacklab.study.engines.registry import make_engine
from stacklab.study.engines.session import Job, carry_out
from stacklab.train.spec import Device

REASON = "out of GPU memory, with the card to itself; a smaller train.micro_batch_size needs less"


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of device files: a file more is a card more. The user has chosen none."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices = tmp_path / "dev"
    devices.mkdir()
    monkeypatch.setattr(processes, "gpus", lambda: machine.gpus(devices))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return devices


def with_cards(devices: Path, count: int) -> None:
    for number in range(count):
        (devices / f"nvidia{number}").touch()


def on_gpus(workers: int | None = None, *, on_cards: bool = True, **numbers: int) -> ProcessesEngine:
    """numbers: runs_per_gpu or gpus_per_run."""
    return ProcessesEngine(workers=workers, on_cards=on_cards, target=TARGET, preload=(), **numbers)


def cards_of(folders: Sequence[Path]) -> list[str | None]:
    """The card of each run's last attempt."""
    return [seen(folder)[-1]["CUDA_VISIBLE_DEVICES"] for folder in folders]


def most_at_once(folders: Sequence[Path], card: str) -> int:
    """The most attempts that ever overlapped on a card."""
    on_card = [
        span
        for folder in folders
        for span, row in zip(spans(folder), seen(folder), strict=True)
        if row["CUDA_VISIBLE_DEVICES"] == card
    ]
    return max(sum(began <= at < ended for began, ended in on_card) for at, _ in on_card)


@pytest.mark.parametrize("runs_per_gpu", [1, 2])
def test_runs_are_dealt_evenly_and_never_exceed_the_number_on_a_card(
    tmp_path: Path, pretend: Path, watch: Notes, runs_per_gpu: int
) -> None:
    with_cards(pretend, 2)
    folders = [make_run(tmp_path / f"{number}", seconds=0.1) for number in range(8)]
    engine = on_gpus(runs_per_gpu=runs_per_gpu)
    assert engine.slots(8) == 2 * runs_per_gpu
    ends = engine.run(folders, watch=watch)
    assert ends == [RunEnd(folder, "finished") for folder in folders]
    first = cards_of(folders)[: 2 * runs_per_gpu]
    assert first == ["0", "1"] * runs_per_gpu
    assert {card: most_at_once(folders, card) for card in ("0", "1")} == {"0": runs_per_gpu, "1": runs_per_gpu}


def test_a_free_card_gets_the_next_run(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    """The long run keeps its card, so the others all go to the other one."""
    with_cards(pretend, 2)
    folders = [make_run(tmp_path / "long", steps=1, seconds=2), *[make_run(tmp_path / name) for name in "abc"]]
    on_gpus().run(folders, watch=watch)
    assert cards_of(folders) == ["0", "1", "1", "1"]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("1", {"1"}), ("GPU-aa,GPU-bb", {"GPU-aa", "GPU-bb"}), ("", {""})],
)
def test_the_cards_are_those_that_the_user_chose(
    tmp_path: Path, pretend: Path, watch: Notes, monkeypatch: pytest.MonkeyPatch, chosen: str, expected: set[str]
) -> None:
    with_cards(pretend, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    folders = [make_run(tmp_path / name, seconds=0.05) for name in "abcd"]
    on_gpus().run(folders, watch=watch)
    assert set(cards_of(folders)) == expected


@pytest.mark.parametrize(
    ("cards", "workers", "runs_per_gpu", "slots"),
    [(2, None, 1, 2), (2, None, 8, 16), (2, 3, 2, 3), (2, 8, 2, 4), (1, None, 4, 4), (0, None, 1, 6), (0, 3, 1, 3)],
)
def test_slots_are_those_of_the_cards(
    pretend: Path, monkeypatch: pytest.MonkeyPatch, cards: int, workers: int | None, runs_per_gpu: int, slots: int
) -> None:
    with_cards(pretend, cards)
    monkeypatch.setattr(machine, "cores", lambda: 6)
    assert on_gpus(workers, runs_per_gpu=runs_per_gpu).slots(100) == slots
    assert on_gpus(runs_per_gpu=max(1, runs_per_gpu * (cards > 0))).slots(1) == 1


def test_a_run_on_the_cpu_sees_no_card_and_occupies_none(
    tmp_path: Path, pretend: Path, watch: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cards(pretend, 1)
    monkeypatch.setattr(machine, "cores", lambda: 6)
    monkeypatch.setattr(processes, "_needs_card", lambda folder: folder.name == "card")
    folders = [make_run(tmp_path / name, seconds=0.1) for name in ("card", "a", "b")]
    engine = on_gpus(on_cards=False)
    assert engine.slots(3) == 3
    engine.run(folders, watch=watch)
    assert cards_of(folders) == ["0", "", ""]
    assert most_at_once(folders, "") == 2


def test_whether_a_run_needs_a_card_is_in_its_settings(tmp_path: Path) -> None:
    devices: tuple[Device, ...] = ("auto", "cuda", "cpu", "mps")
    runs = make_runs(tmp_path, [task_spec(device=device) for device in devices])
    assert [processes._needs_card(paths.folder) for paths in runs] == [True, True, False, False]
    assert processes._needs_card(tmp_path / "nothing"), "a run that cannot be read is left for its process to report"


def test_a_run_out_of_memory_is_retried_last_and_alone(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    with_cards(pretend, 1)
    folders = [
        make_run(tmp_path / "large", out_of_memory=1, card="NVIDIA T4", seconds=0.05),
        *[make_run(tmp_path / name, steps=5, seconds=0.05) for name in "abcd"],
    ]
    ends = on_gpus(runs_per_gpu=3).run(folders, watch=watch)
    assert ends == [RunEnd(folders[0], "finished", attempts=2), *[RunEnd(folder, "finished") for folder in folders[1:]]]
    assert watch.gone == ["large: out of GPU memory (NVIDIA T4, 8.00 GiB); it will be retried with a card to itself"]
    assert watch.begun[-1] == ("large", 2)
    (_, (began, _)), others = spans(folders[0]), [spans(folder)[0] for folder in folders[1:]]
    assert all(ended < began for _, ended in others), "nothing else runs on the card"
    assert not RunPaths(folders[0]).error.exists()


def test_a_card_that_was_out_of_memory_takes_fewer_runs(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    with_cards(pretend, 1)
    lost = make_run(tmp_path / "large", out_of_memory=1)
    others = [make_run(tmp_path / f"{number}", seconds=0.2) for number in range(7)]
    on_gpus(runs_per_gpu=3).run([lost, *others], watch=watch)
    assert watch.notes == ["GPU 0 is too small for 3 runs at once; from now on at most 2"]
    assert most_at_once(others[2:], "0") == 2


def test_nothing_starts_on_the_card_of_a_run_that_is_alone(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    """Two lost runs on one card: the second waits for the first; on the other card the long run goes on."""
    with_cards(pretend, 2)
    lost = [make_run(tmp_path / name, out_of_memory=1, seconds=0.1) for name in "ab"]
    long = make_run(tmp_path / "long", steps=30, seconds=0.1)
    on_gpus(runs_per_gpu=2).run([long, *lost], watch=watch)
    assert [seen(folder)[1]["CUDA_VISIBLE_DEVICES"] for folder in lost] == ["1", "1"]
    first, second = sorted(spans(folder)[1] for folder in lost)
    assert first[1] <= second[0]
    assert spans(long)[0][1] > first[1], "the other card did not wait"


def test_a_run_out_of_memory_when_alone_fails_with_the_reason(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    with_cards(pretend, 1)
    large, good = make_run(tmp_path / "large", out_of_memory=9, card="NVIDIA T4"), make_run(tmp_path / "good")
    reason = REASON.replace("memory,", "memory (NVIDIA T4, 8.00 GiB),")
    assert on_gpus(runs_per_gpu=2).run([large, good], watch=watch) == [
        RunEnd(large, "failed", reason, attempts=2),
        RunEnd(good, "finished"),
    ]
    assert json.loads(RunPaths(large).error.read_text()) == {"error": reason, "traceback": None}


def test_a_stack_out_of_memory_is_retried_run_by_run(tmp_path: Path, watch: Notes) -> None:
    folders = (make_run(tmp_path / "a"), make_run(tmp_path / "b", out_of_memory=1), make_run(tmp_path / "c"))
    cards = Cards(["0", "1"], runs_per_gpu=2, workers=4)
    jobs = [Job(folders, "fake_runs:execute_together")]
    ends = carry_out(jobs, workers=4, cards=cards, watch=watch, target=TARGET, preload=())
    assert [ends[folder].attempts for folder in folders] == [1, 2, 2]
    assert {end.status for end in ends.values()} == {"finished"}
    assert sorted(cards_of(folders[1:])) == ["0", "1"], "each alone on a card"
    assert len({seen(folder)[-1]["pid"] for folder in folders}) == 3


@pytest.mark.parametrize("engine", [ProcessesEngine, ReplicasEngine])
def test_several_runs_on_a_card_need_one(
    pretend: Path, monkeypatch: pytest.MonkeyPatch, engine: type[ProcessesEngine]
) -> None:
    with pytest.raises(
        SpecError, match=r"^runs-per-gpu: 4 runs on each GPU, but no GPU on this machine; leave it out$"
    ):
        engine(runs_per_gpu=4)
    with_cards(pretend, 1)
    with pytest.raises(
        SpecError, match=r"4 runs on each GPU, but the runs train on the CPU \(train\.device\); leave it out$"
    ):
        engine(runs_per_gpu=4, on_cards=False)
    assert make_engine(engine.name, runs_per_gpu=4).slots(9) == 4
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(SpecError, match=r"no GPU on this machine \(CUDA_VISIBLE_DEVICES=-1\)"):
        engine(runs_per_gpu=4)


def test_a_run_on_several_cards_has_them_to_itself(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    """Five cards have room for two runs on two each."""
    with_cards(pretend, 5)
    folders = [make_run(tmp_path / f"{number}", seconds=0.1) for number in range(4)]
    engine = on_gpus(gpus_per_run=2)
    assert (engine.slots(9), on_gpus(1, gpus_per_run=2).slots(9)) == (2, 1)
    assert engine.run(folders, watch=watch) == [RunEnd(folder, "finished") for folder in folders]
    assert [row["ranks"] for folder in folders for row in seen(folder)] == [2] * 4
    assert cards_of(folders[:2]) == ["0,1", "2,3"]
    for card in set(cards_of(folders)):
        assert card is not None and most_at_once(folders, card) == 1


def test_a_run_on_one_card_is_one_process(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    with_cards(pretend, 2)
    folder = make_run(tmp_path / "a")
    on_gpus().run([folder], watch=watch)
    assert seen(folder)[0]["ranks"] == 1


def test_a_run_that_lost_a_rank_is_retried(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    with_cards(pretend, 2)
    once, always = make_run(tmp_path / "once", loses_rank=1), make_run(tmp_path / "always", loses_rank=9)
    reason = "rank 1 was killed by signal 9"
    assert on_gpus(gpus_per_run=2).run([once, always], watch=watch) == [
        RunEnd(once, "finished", attempts=2),
        RunEnd(always, "failed", f"{reason}, 3 attempts", attempts=3),
    ]
    assert watch.gone[0] == f"once: {reason}; attempt 1 of 3"


def test_a_run_on_several_cards_out_of_memory_fails_at_once(tmp_path: Path, pretend: Path, watch: Notes) -> None:
    with_cards(pretend, 2)
    large = make_run(tmp_path / "large", out_of_memory=9)
    assert on_gpus(gpus_per_run=2).run([large], watch=watch) == [RunEnd(large, "failed", REASON)]


def test_a_run_on_the_cpu_is_not_spread(
    tmp_path: Path, pretend: Path, watch: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cards(pretend, 2)
    monkeypatch.setattr(processes, "_needs_card", lambda folder: folder.name == "card")
    folders = [make_run(tmp_path / name) for name in ("card", "cpu")]
    on_gpus(gpus_per_run=2).run(folders, watch=watch)
    assert [(card, seen(folder)[0]["ranks"]) for card, folder in zip(cards_of(folders), folders, strict=True)] == [
        ("0,1", 2),
        ("", 1),
    ]


@pytest.mark.parametrize(
    ("cards", "chosen", "on_cards", "message"),
    [
        (0, None, True, "3 GPUs for each run, but this machine has 0; use at most 1"),
        (2, None, True, "3 GPUs for each run, but this machine has 2; use at most 2"),
        (4, "0,1", True, "3 GPUs for each run, but this machine has 2 (CUDA_VISIBLE_DEVICES=0,1); use at most 2"),
        (4, None, False, "3 GPUs for each run, but the runs train on the CPU (train.device); use at most 1"),
    ],
)
def test_more_cards_than_there_are_are_refused(
    pretend: Path, monkeypatch: pytest.MonkeyPatch, cards: int, chosen: str | None, on_cards: bool, message: str
) -> None:
    with_cards(pretend, cards)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    with pytest.raises(SpecError) as caught:
        on_gpus(gpus_per_run=3, on_cards=on_cards)
    assert str(caught.value) == f"gpus-per-run: {message}"
    assert on_gpus(gpus_per_run=1, on_cards=on_cards).slots(1) == 1


def test_a_run_that_began_on_other_ranks_stops_the_command_before_any_starts(
    tmp_path: Path, pretend: Path, watch: Notes
) -> None:
    with_cards(pretend, 2)
    new, begun = make_run(tmp_path / "new"), make_run(tmp_path / "begun")
    header = json.dumps({"__metadata__": {"world_size": "2"}}).encode()
    RunPaths(begun).checkpoint.write_bytes(len(header).to_bytes(8, "little") + header)
    for engine in (on_gpus(), InlineEngine(target=TARGET)):
        with pytest.raises(
            CheckpointError, match="began with --gpus-per-run 2, not 1; use 2 again, or delete the file"
        ):
            engine.run([new, begun], watch=watch)
    assert not watch.begun
    assert on_gpus(gpus_per_run=2).run([begun], watch=watch) == [RunEnd(begun, "finished")]

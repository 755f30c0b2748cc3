"""The engines with the real `execute`, torch and all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.run.conftest import Bench
from tests.study.engines.helpers import Notes

from stacklab.base.files import read_json
from stacklab.run.execute import execute
from stacklab.run.paths import RunPaths
from stacklab.study.engines.protocol import RunEnd
from stacklab.study.engines.registry import make_engine


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """More than one, since a forked process could hang in its first parallel loop."""
    before = torch.get_num_threads()
    for module in ("inline", "machine"):
        monkeypatch.setattr(f"stacklab.study.engines.{module}.cores", lambda: 2)
    yield
    torch.set_num_threads(before)


@pytest.mark.trains
@pytest.mark.usefixtures("two_threads")
def test_engines_train_to_the_same_bits(tmp_path: Path, watch: Notes) -> None:
    runs: dict[str, RunPaths] = {}
    for name in ("inline", "processes"):
        bench = Bench(tmp_path / name)
        spec = bench.spec(model={"d_model": 64}, batch_size=16, steps=5)
        runs[name] = bench.folder(spec)
        (end,) = make_engine(name, workers=1).run([runs[name].folder], watch=watch)
        assert (end.status, end.reason, end.attempts) == ("finished", "", 1)
    for file in ("metrics", "evals", "result", "weights"):
        inline, processes = (getattr(run, file).read_bytes() for run in runs.values())
        assert inline == processes, f"{file} differ"
    assert watch.notes == [], "a worker warned"


@pytest.mark.trains
@pytest.mark.usefixtures("two_threads")
def test_a_run_on_two_cards_equals_one_process_with_both_halves(
    tmp_path: Path, watch: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout included; the cards are pretended, so the ranks train on the CPU. Two addends have one order of sums."""
    monkeypatch.setattr("stacklab.study.engines.processes.gpus", lambda: ["0", "1"])
    bench = Bench(tmp_path / "out")
    two, one = (bench.folder(bench.spec(batch_size=4, micro_batch_size=rows)) for rows in (4, 2))
    assert make_engine("processes", gpus_per_run=2).run([two.folder], watch=watch) == [RunEnd(two.folder, "finished")]
    assert execute(one.folder, threads=1) == "finished"
    assert [read_json(run.provenance)["world_size"] for run in (two, one)] == [2, 1]
    for file in ("metrics", "evals", "samples"):
        assert getattr(two, file).read_bytes() == getattr(one, file).read_bytes(), f"{file} differ"
    assert watch.notes == [], "a rank warned"

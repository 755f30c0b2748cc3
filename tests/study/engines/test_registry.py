import subprocess
import sys

import pytest

from stacklab.base.errors import SpecError
from stacklab.study.engines import inline, machine, processes
from stacklab.study.engines.registry import ENGINES, make_engine


@pytest.mark.parametrize("name", ENGINES)
def test_engines_have_the_name_they_are_chosen_by(name: str) -> None:
    assert make_engine(name).name == name


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        ("ray", {}, "engine: 'ray' is not an engine; choose one of processes, replicas, inline"),
        ("processes", {"workers": 0}, "workers: 0 is too few; at least 1 is needed"),
        ("inline", {"workers": 2}, "workers: the inline engine trains one run at a time, not 2; use processes"),
        ("processes", {"runs_per_gpu": 0}, "runs-per-gpu: 0 is too few; at least 1 is needed"),
        (
            "inline",
            {"runs_per_gpu": 2},
            "runs-per-gpu: the inline engine does not train 2 runs on a GPU; use processes",
        ),
        ("processes", {"gpus_per_run": 0}, "gpus-per-run: 0 is too few; at least 1 is needed"),
        *(
            (
                name,
                {"gpus_per_run": 2},
                f"gpus-per-run: the {name} engine does not train a run on 2 GPUs; use processes",
            )
            for name in ("inline", "replicas")
        ),
        (
            "processes",
            {"gpus_per_run": 2, "runs_per_gpu": 3},
            "gpus-per-run: 2 GPUs for each run leave no GPU for 3 runs (--runs-per-gpu); choose one of them",
        ),
    ],
)
def test_invalid_engines_and_numbers_are_refused(name: str, numbers: dict[str, int], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_engine(name, **numbers)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_says_how_many_runs_train_at_once_and_with_how_many_threads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 6)
    monkeypatch.setattr(inline, "cores", lambda: 6)
    monkeypatch.setattr(processes, "gpus", list)
    engine = make_engine(name)
    sizes = [(engine.slots(runs), engine.threads(runs)) for runs in (1, 2, 100)]
    assert sizes == ([(1, 6)] * 3 if name == "inline" else [(1, 6), (2, 3), (6, 1)])
    if name != "inline":
        assert (make_engine(name, workers=3).slots(100), make_engine(name, workers=3).threads(100)) == (3, 2)


def test_the_parent_never_imports_torch() -> None:
    code = (
        "import sys, stacklab.study.engines.registry, stacklab.study.execution.live; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

import subprocess
import sys

import pytest

from stacklab.base.errors import SpecError
from stacklab.study.engines.registry import make_engine, worker_count


@pytest.mark.parametrize("name", ["inline", "processes", "replicas"])
def test_engines_have_the_name_they_are_chosen_by(name: str) -> None:
    assert make_engine(name).name == name


@pytest.mark.parametrize(
    ("name", "workers", "message"),
    [
        ("ray", None, "engine: 'ray' is not an engine; choose one of inline, processes, replicas"),
        ("processes", 0, "workers: 0 is too few; at least 1 is needed"),
        ("inline", 2, "workers: the inline engine trains one run at a time, not 2; use processes"),
    ],
)
def test_what_cannot_be_had_says_so(name: str, workers: int | None, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_engine(name, workers=workers)
    assert str(caught.value) == message


def test_given_workers_win() -> None:
    assert worker_count(5, runs=1) == 5
    assert worker_count(None, runs=1) == 1


def test_the_parent_never_imports_torch() -> None:
    code = (
        "import sys, stacklab.study.engines.registry, stacklab.study.execution.live; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

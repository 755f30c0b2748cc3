from pathlib import Path

import pytest
from tests.study.engines.helpers import TARGET, Notes, processes

from stacklab.study.engines.inline import InlineEngine
from stacklab.study.engines.processes import ReplicasEngine
from stacklab.study.engines.protocol import Engine


@pytest.fixture
def watch() -> Notes:
    return Notes()


@pytest.fixture(autouse=True)
def fakes_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture(params=["inline", "processes", "replicas"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every engine keeps the same contract; one run at a time makes the order visible."""
    if request.param == "inline":
        return InlineEngine(target=TARGET)
    return processes(1) if request.param == "processes" else ReplicasEngine(workers=1, target=TARGET, preload=())

from pathlib import Path

import pytest
from tests.study.engines.helpers import TARGET, Notes, processes

from stacklab.study.engines.inline import InlineEngine
from stacklab.study.engines.protocol import Engine


@pytest.fixture
def watch() -> Notes:
    return Notes()


@pytest.fixture(autouse=True)
def fakes_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture(params=["inline", "processes"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every engine keeps the same contract; one run at a time makes the order visible."""
    return InlineEngine(target=TARGET) if request.param == "inline" else processes(1)

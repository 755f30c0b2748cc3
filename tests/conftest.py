"""Fixtures shared by all tests. Threads are kept low because tests run in parallel."""

import gc
import os
import re
import tempfile
import uuid
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic products on a card

SHARED_DATA = Path(os.environ.get("STACKLAB_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="stacklab-state-")


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a list of output folders of its own, away from the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state" / uuid.uuid4().hex))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real texts and tokenizers; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real texts and tokenizers are not at {SHARED_DATA} (set STACKLAB_SHARED_DATA)")
    return SHARED_DATA


def pytest_configure(config: pytest.Config) -> None:
    """Tests mean the CPU also on a machine with a GPU, unless those marked gpu are requested by `-m`.

    CUDA reads the variable when it starts, which no import of torch does.
    """
    if not re.search(r"(?<!not )\bgpu\b", config.getoption("markexpr")):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU, and to be requested: pytest -m gpu")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that take long run where they are requested, and are no skipped tests elsewhere."""
    for marker in ("many", "campaign"):
        if not re.search(rf"(?<!not )\b{marker}\b", config.getoption("markexpr")):
            items[:] = [item for item in items if item.get_closest_marker(marker) is None]


def pytest_collection_finish() -> None:
    """Modules stay for the whole session, and statsmodels collects garbage at each correction of p values."""
    gc.collect()
    gc.freeze()

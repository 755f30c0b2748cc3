"""The table of the campaign: emptied before it, printed and written after it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.campaign.outcomes import Settings, settings, table
from tests.campaign.warm import Warm


def _is_campaign(config: pytest.Config) -> bool:
    return "campaign" in config.getoption("markexpr")


def pytest_configure(config: pytest.Config) -> None:
    # With xdist this runs in every worker; the process that the user started has no such attribute.
    if _is_campaign(config) and not hasattr(config, "workerinput"):
        for name in ("rows", "failures"):
            shutil.rmtree(settings().folder / name, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not _is_campaign(config):
        return
    chosen = settings()
    text = f"Campaign, seed {chosen.seed}, scale {chosen.scale:g}\n\n{table(chosen.folder)}"
    path = chosen.folder / "table.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    terminalreporter.write_line(f"\n{text}\nwritten: {path}; failures with their commands: {path.parent}/failures")


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """Closed before tests of other modules, some of which count the processes that are left."""
    server = Warm()
    yield server
    server.close()


@pytest.fixture
def chosen() -> Settings:
    return settings()


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder that is emptied at once: a campaign makes thousands."""
    yield tmp_path
    shutil.rmtree(tmp_path)

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from stacklab.audit.reading.log import Log, LogBuilder
from stacklab.audit.reading.number import Number
from stacklab.audit.spec import Audit, Finding

FIRST, SECOND = "000_2e7ded0a1a856fd3.txt", "001_34931cc8c1a8b236.txt"


@pytest.fixture(scope="session")
def documents(shared_data: Path) -> tuple[Path, Path]:
    """The research page on depth, with its logs, and the article about the same experiment."""
    folder = shared_data.parent / "sources"
    paths = folder / FIRST, folder / SECOND
    if not all(path.is_file() for path in paths):
        pytest.skip(f"the documents of the source experiments are not at {folder} (set STACKLAB_SHARED_DATA)")
    return paths


@pytest.fixture
def find() -> Callable[..., Finding]:
    """The one finding of a kind, of a subject where there are several."""

    def finder(audit: Audit, kind: str, subject: str = "") -> Finding:
        (found,) = (f for f in audit.findings if f.kind == kind and f.subject.startswith(subject))
        return found

    return finder


@pytest.fixture
def log_of() -> Callable[..., Log]:
    def build(name: str, steps: Sequence[int], **losses: Sequence[float]) -> Log:
        builder = LogBuilder(name=name, source="log")
        for metric, values in losses.items():
            for step, value in zip(steps, values, strict=True):
                builder.add(metric, step, Number(float(value)), line=0)  # type: ignore[arg-type]
        return builder.build()

    return build

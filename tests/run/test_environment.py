"""Running from a source folder: the metadata of a distribution may be absent."""

import importlib.metadata
import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from stacklab.base.version import VERSION
from stacklab.run.environment import provenance

SOURCE = Path(__file__).parents[2] / "src"


def test_a_source_folder_is_enough(tmp_path: Path) -> None:
    """The packages of this environment, but for stacklab as a distribution."""
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "stacklab" not in path.name:
            (tmp_path / path.name).symlink_to(path)
    code = (
        f"import sys; sys.path += [{str(SOURCE)!r}, {str(tmp_path)!r}]\n"
        "import importlib.metadata, json, stacklab\n"
        "from stacklab.run.environment import provenance\n"
        "names = [row.name for row in importlib.metadata.distributions()]\n"
        "assert 'stacklab' not in names, 'hidden'\n"
        "print(json.dumps(provenance(data_manifest={}, device='cpu', precision='fp32')['versions']))\n"
        "print(stacklab.__version__)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    recorded, version = done.stdout.splitlines()
    assert json.loads(recorded)["stacklab"] == version == VERSION
    assert json.loads(recorded)["numpy"] == importlib.metadata.version("numpy")


def test_a_package_without_metadata_is_recorded_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", hidden)
    versions = provenance(data_manifest={}, device="cpu", precision="fp32")["versions"]
    assert versions["stacklab"] == VERSION
    assert versions["torch"] == "not installed as a distribution"

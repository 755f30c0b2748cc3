"""Running from a source folder: the metadata of a distribution may be absent."""

import importlib.metadata
import json
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import torch

from stacklab.base.version import VERSION
from stacklab.model.ops import compilation
from stacklab.run.environment import prepare_device, versions
from stacklab.train.spec import TrainSpec

ROOT = Path(__file__).parents[2]


def test_a_source_folder_is_enough(tmp_path: Path) -> None:
    """The packages of this environment, but for stacklab as a distribution."""
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "stacklab" not in path.name:
            (tmp_path / path.name).symlink_to(path)
    code = (
        f"import sys; sys.path += [{str(ROOT / 'src')!r}, {str(tmp_path)!r}]\n"
        "import importlib.metadata, json, stacklab\n"
        "from stacklab.run.environment import versions\n"
        "names = [row.name for row in importlib.metadata.distributions()]\n"
        "assert 'stacklab' not in names, 'hidden'\n"
        "print(json.dumps(versions()))\n"
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
    recorded = versions()
    assert recorded["stacklab"] == VERSION
    assert recorded["torch"] == "not installed as a distribution"


def test_a_run_that_is_not_compiled_compiles_no_operation_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "can_compile", lambda device: True)
    prepare_device(TrainSpec(compile="off"))
    assert not compilation.compiles(torch.device("cuda"))
    prepare_device(TrainSpec())
    assert compilation.compiles(torch.device("cuda"))


def test_the_version_stands_in_one_place() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert config["project"]["dynamic"] == ["version"]
    assert (ROOT / config["tool"]["hatch"]["version"]["path"]).is_file()

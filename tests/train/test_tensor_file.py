"""A disk that is full while weights are written."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from tests.model.port.conftest import GPT2_STACK, filled, stack, tensors_of

from stacklab.base.errors import DiskError
from stacklab.exchange.export import write_files
from stacklab.exchange.model_folder import save_model
from stacklab.exchange.portable import Portable
from stacklab.model.port.gpt2 import GPT2
from stacklab.model.transformer import Transformer
from stacklab.train.checkpoint import save_weights
from stacklab.train.tensor_file import save_tensors

FULL = "Error while serializing: I/O error: No space left on device (os error 28)"


def small() -> Portable:
    model = filled(stack(GPT2_STACK))
    return Portable("m", model.spec, tensors_of(model), None, None, None)


WRITERS = {
    "an imported model": lambda folder: save_model(small(), folder / "m"),
    "an exported folder": lambda folder: write_files(small(), GPT2, folder),
    "a run": lambda folder: save_weights(folder / "model.safetensors", Transformer(small().spec), run_id="r"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_a_disk_error_that_names_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SafetensorError(FULL)

    monkeypatch.setattr("stacklab.train.tensor_file.save_file", full)
    with pytest.raises(DiskError, match=r"model\.safetensors: cannot write \(.*No space left on device.*free some"):
        WRITERS[name](tmp_path)
    assert not list(tmp_path.glob("**/*.safetensors*"))


def test_the_error_of_the_real_library_is_one_too(tmp_path: Path) -> None:
    code = (
        "import resource, signal, torch, pathlib\nfrom stacklab.train.tensor_file import save_tensors\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"save_tensors(pathlib.Path({str(tmp_path)!r}) / 'big', {{'x': torch.ones(10_000)}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DiskError" in done.stderr
    assert list(tmp_path.iterdir()) == []
    save_tensors(tmp_path / "big", {"x": torch.ones(10_000)})
    assert [entry.name for entry in tmp_path.iterdir()] == ["big"]

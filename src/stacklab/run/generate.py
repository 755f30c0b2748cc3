"""Texts from a finished run."""

from pathlib import Path

from stacklab.base.errors import DataError
from stacklab.base.streams import stream_seed
from stacklab.data.prepared import load_prepared, prepared_folder
from stacklab.model.decode import generate
from stacklab.model.transformer import Transformer
from stacklab.run.paths import OutPaths, RunPaths, out_of
from stacklab.run.store import read_spec
from stacklab.train.checkpoint import load_weights, read_weights


def find_run(name: str, out: Path) -> RunPaths:
    """The run folder by path, id, or the start of an id. Raises DataError when none or several match."""
    if (Path(name) / "spec.json").is_file():
        return RunPaths(Path(name).resolve())
    found = sorted(path.parent for path in OutPaths(out).runs.glob("*/spec.json") if path.parent.name.startswith(name))
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5]) or "none"
        raise DataError(f"{out / 'runs'}: expected one run that starts with {name!r}, found {names}")
    return RunPaths(found[0].resolve())


def continue_text(run: RunPaths, prompt: str, *, tokens: int, temperature: float, seed: int) -> str:
    """The text after `prompt`, from the run's final weights. Raises CheckpointError or DataError."""
    if not run.weights.exists():
        raise DataError(f"{run.folder}: has no final weights yet; `stacklab status` shows how far it is")
    spec = read_spec(run)
    data = load_prepared(prepared_folder(out_of(run).cache, spec.data_fingerprint))
    model = Transformer(spec.model)
    load_weights(model, read_weights(run.weights), run.weights)
    ids = data.encode(prompt)[-(spec.model.context_length - 1) :]
    if not ids:
        raise DataError("the prompt has no tokens; give some text with --prompt")
    stream = stream_seed(seed, "sampling")
    (new,) = generate(model, [ids], max_tokens=tokens, end_id=data.end_id, temperature=temperature, seed=stream)
    return data.decode(new)

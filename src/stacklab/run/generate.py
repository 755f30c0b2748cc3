"""Texts from a finished run."""

from stacklab.base.errors import DataError
from stacklab.base.streams import stream_seed
from stacklab.data.prepared import load_prepared, prepared_folder
from stacklab.model.decode import generate
from stacklab.model.transformer import Transformer
from stacklab.run.paths import RunPaths, out_of
from stacklab.run.store import read_spec
from stacklab.tasks.data import TaskData
from stacklab.train.checkpoint import load_weights, read_weights


def continue_text(run: RunPaths, prompt: str, *, tokens: int, temperature: float, seed: int) -> str:
    """The text after `prompt`, from the run's final weights. Raises CheckpointError or DataError."""
    if not run.weights.exists():
        raise DataError(f"{run.folder}: has no final weights yet; `stacklab status` shows how far it is")
    spec = read_spec(run)
    if isinstance(spec.data, TaskData):
        raise DataError(f"{run.folder}: was trained on the task {spec.data.task.kind}, which has no text to go on with")
    data = load_prepared(prepared_folder(out_of(run).cache, spec.data_fingerprint))
    model = Transformer(spec.model)
    load_weights(model, read_weights(run.weights), run.weights)
    ids = data.encode(prompt)[-(spec.model.context_length - 1) :]
    if not ids:
        raise DataError("the prompt has no tokens; give some text with --prompt")
    stream = stream_seed(seed, "sampling")
    (new,) = generate(model, [ids], max_tokens=tokens, end_id=data.end_id, temperature=temperature, seed=stream)
    return data.decode(new)

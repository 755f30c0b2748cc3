"""Texts from a model."""

from stacklab.base.errors import DataError
from stacklab.base.streams import stream_seed
from stacklab.model.decode import generate
from stacklab.run.open_model import OpenModel


def continue_text(open_model: OpenModel, prompt: str, *, tokens: int, temperature: float, seed: int) -> str:
    """The text after `prompt`. Raises DataError for an empty prompt."""
    model = open_model.model
    ids = open_model.encode(prompt)[-(model.spec.context_length - 1) :]
    if not ids:
        raise DataError("the prompt has no tokens; give some text with --prompt")
    stream = stream_seed(seed, "sampling")
    (new,) = generate(model, [ids], max_tokens=tokens, end_id=open_model.end_id, temperature=temperature, seed=stream)
    return open_model.decode(new)

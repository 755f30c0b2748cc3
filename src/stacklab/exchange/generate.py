"""Generates texts from a model, piece by piece."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stacklab.base.errors import DataError, SpecError
from stacklab.base.text import shown
from stacklab.data.novelty import Novelty, novelties
from stacklab.data.prepared import PreparedData, load_prepared, prepared_folder
from stacklab.exchange.locate import folder_from_elsewhere
from stacklab.exchange.open_model import OpenModel
from stacklab.model.generation.decode import Stop, stream
from stacklab.model.generation.sampling_spec import SamplingSpec
from stacklab.run.paths import out_of
from stacklab.run.store import find_run, read_spec

UNFINISHED = "\ufffd"
"""Decoders return this for bytes that do not make up a character yet."""


@dataclass(frozen=True)
class Generated:
    """The text after a prompt, its ids without an end token, and why generation stopped."""

    prompt: str
    text: str
    ids: list[int]
    stop: Stop


@dataclass(frozen=True)
class Piece:
    """The next text after prompt `row`. whole: the complete text, in the last piece of a row only."""

    row: int
    text: str
    whole: Generated | None


def stream_texts(
    open_model: OpenModel, prompts: Sequence[str], *, tokens: int, sampling: SamplingSpec
) -> Iterator[Piece]:
    """Continue all prompts together, each by at most `tokens` tokens; a piece never ends within a character.

    The pieces of a row make up its text, which is empty for a prompt that fills the context. Raises DataError for a
    prompt without tokens, SpecError for a model whose mask is not causal.
    """
    writers = [_Writer(open_model, prompt) for prompt in prompts]
    prompt_ids = [writer.prompt_ids for writer in writers]
    for row, token, stop in stream(
        open_model.model, prompt_ids, max_tokens=tokens, end_id=open_model.end_id, sampling=sampling
    ):
        writer = writers[row]
        if token is not None:
            writer.ids.append(token)
        text = writer.next_text(at_end=stop is not None)
        whole = None if stop is None else Generated(writer.prompt, writer.written, writer.ids, stop)
        if text or whole is not None:
            yield Piece(row, text, whole)


def sampling_of(**fields: Any) -> SamplingSpec:
    """A SamplingSpec of these fields. Raises SpecError naming the first invalid one."""
    try:
        return SamplingSpec.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SpecError(f"{first['loc'][0]} = {shown(first['input'])}: {first['msg']}") from None


def check_tokens(tokens: object) -> None:
    """Raises SpecError for a number of new tokens that is not a positive whole number."""
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise SpecError(f"tokens = {shown(tokens)}: expected a whole number above 0")


def _check_text(prompt: object) -> None:
    """Raises DataError for a prompt that is not text in UTF-8."""
    if not isinstance(prompt, str):
        raise DataError(f"prompt {shown(prompt)}: expected text, found a {type(prompt).__name__}")
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"prompt {shown(prompt)}: not UTF-8 at character {error.start}; write it in UTF-8") from error


def training_of(name: str, out: Path) -> PreparedData:
    """The training data of a run. Raises DataError for a model that was not trained here."""
    if (folder := folder_from_elsewhere(name, out)) is not None:
        raise DataError(
            f"{folder}: was not trained here, so there is no training text to look for copies in; leave --novelty out"
        )
    paths = find_run(name, out)
    return load_prepared(prepared_folder(out_of(paths).cache, read_spec(paths).data_fingerprint))


def against_training(texts: Sequence[Generated], data: PreparedData) -> list[Novelty]:
    """How much of each text was copied from the training split of its run."""
    return novelties([text.ids for text in texts], data.train.stream, decode=data.decode)


class _Writer:
    def __init__(self, open_model: OpenModel, prompt: str) -> None:
        _check_text(prompt)
        self.prompt, self.decode = prompt, open_model.decode
        self.prompt_ids = open_model.encode(prompt)
        if not self.prompt_ids:
            raise DataError(f"prompt {shown(prompt)} has no tokens; write some text")
        self.ids: list[int] = []
        self.written = ""
        self.before = len(self.decode(self.prompt_ids))

    def next_text(self, *, at_end: bool) -> str:
        """The text since the last call that is complete. Decoded together with the prompt, since some decoders drop the
        first space of their input."""
        text = self.decode(self.prompt_ids + self.ids)[self.before :]
        if not at_end:
            text = text.rstrip(UNFINISHED)
        new = text[len(self.written) :]
        self.written += new
        return new

"""Hugging Face Trainer: trainer_state.json, and `{'loss': 1.46, 'learning_rate': 4.2e-05, 'epoch': 0.33}`."""

import re

from stacklab.audit.reading.build import build_log
from stacklab.audit.reading.entry import Document, Entry, Format, Row
from stacklab.audit.reading.log import Log
from stacklab.audit.reading.names import entry_of
from stacklab.audit.reading.records import load_json, record_from

ITEM = re.compile(r"'([^']{1,100})': {0,4}'?([^,'}]{0,100})'?")


def line(text: str) -> Entry | None:
    """A dictionary of Python, wherever it begins on the line."""
    start = text.find("{'")
    if start < 0 or "'epoch'" not in text:
        return None
    return entry_of(dict(ITEM.findall(text[start:])))


def document(file: Document) -> list[Log] | None:
    """The history of a trainer's state. Its last record, a mean over the whole training, is left out."""
    state = load_json(file.text)
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list):
        return None
    entries = [entry_of(record_from(item)) for item in history if isinstance(item, dict)]
    rows = [Row(0, entry) for entry in entries if entry is not None and (entry.losses or entry.refused)]
    return [build_log(rows, name=file.stem, source=file.name)]


FORMAT = Format(program="Hugging Face Trainer", line=line, document=document)

"""Keras: `Epoch 1/2`, then `300/300 - 12s - loss: 5.0008 - val_loss: 4.2176`, with a bar or without one."""

import re

from stacklab.audit.reading.entry import Entry, Format
from stacklab.audit.reading.names import entry_of
from stacklab.audit.reading.pairs import record_of

BATCHES = re.compile(r"[\s\x08]{0,400}(\d{1,12})/(\d{1,12}|Unknown|None)\s")
LOSSES = re.compile(r"- (\w{0,30}loss: .*)")


def line(text: str) -> Entry | None:
    """The line of a whole epoch; what a bar shows before its end is understood and left out."""
    batches, losses = BATCHES.match(text), LOSSES.search(text)
    if batches is None or losses is None:
        return None
    if batches[2].isdecimal() and int(batches[1]) < int(batches[2]):
        return Entry()
    return entry_of(record_of(losses[1]))


FORMAT = Format(program="Keras", line=line)

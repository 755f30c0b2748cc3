"""Bars of tqdm and of Lightning: `Epoch 1:  50%|█████     | 500/1000 [01:00<01:00, 8.20it/s, train_loss=3.20]`."""

import re

from stacklab.audit.reading.entry import Count, Entry, Format
from stacklab.audit.reading.names import entry_of
from stacklab.audit.reading.pairs import parse_pairs, record_of

BAR = re.compile(
    r"\s{0,9}([^|%]{0,80}?):?\s{0,9}\d{1,3}%\|[^|]{0,400}\|\s{0,9}(\d{1,12})/(\d{1,12}) "
    r"\[[^,\]]{0,60},[^,\]]{0,60}(?:, ?([^\]]{0,400}))?\]"
)


def line(text: str) -> Entry | None:
    """The bar counts batches, within an epoch where it names one. A bar without losses is understood."""
    match = BAR.match(text) if "%|" in text else None
    if match is None:
        return None
    before = parse_pairs(match[1])
    record = entry_of(record_of(match[4] or ""))
    if record is None or not record.losses:
        return Entry()
    counters = dict(before.counters) if before is not None else {}
    counters["batch"] = Count(int(match[2]), int(match[3]))
    return Entry(counters=counters | dict(record.counters), losses=record.losses)


FORMAT = Format(program="tqdm bars", line=line)

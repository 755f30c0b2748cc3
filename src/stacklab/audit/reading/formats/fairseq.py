"""fairseq: `| INFO | train_inner | epoch 001:    100 / 3000 loss=14.2, ..., num_updates=100`, in words or as JSON.

Its losses are in bits per token (base 2); they are converted to nats. The lines `train` at the end of an epoch are
means over it and are left out.
"""

import json
import math
import re

from stacklab.audit.reading.entry import Entry, Format
from stacklab.audit.reading.log import Metric
from stacklab.audit.reading.names import entry_of
from stacklab.audit.reading.number import read_value
from stacklab.audit.reading.pairs import record_of

LINE = re.compile(r"[^|]{0,60}\| INFO \| (train_inner|train|valid)\w{0,40} \| (.*)")


def line(text: str) -> Entry | None:
    match = LINE.fullmatch(text)
    if match is None:
        return None
    if match[1] == "train":
        return Entry()
    part, metric = ("valid_", "validation") if match[1] == "valid" else ("", "train")
    record = {name.removeprefix(part): value for name, value in _record(match[2]).items()}
    entry = entry_of({name: record[name] for name in ("num_updates", "epoch") if name in record})
    loss = record.get("nll_loss", record.get("loss"))
    if entry is None or loss is None:
        return None
    number = read_value(loss)
    if entry.refused or number is None:
        return Entry(refused=entry.refused or f"loss {loss}")
    kind: Metric = "validation" if metric == "validation" else "train"
    return Entry(counters=entry.counters, losses={kind: number._replace(value=number.value * math.log(2))})


def _record(text: str) -> dict[str, str]:
    if not text.startswith("{"):
        return record_of(text)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {name: str(value) for name, value in values.items()}


FORMAT = Format(program="fairseq", line=line)

"""llm.c: `val loss 5.325531` without a step, and main.log with `s:250 tel:4.6` (validation), `trl` (training) and
`eval` (accuracy on HellaSwag, which is no loss). Its other lines begin with `step`."""

import re

from stacklab.audit.reading.entry import Count, Entry, Format
from stacklab.audit.reading.log import Metric
from stacklab.audit.reading.number import NUMERAL, read_count, read_value

VALIDATION = re.compile(rf"val loss ({NUMERAL})\s{{0,9}}", re.IGNORECASE)
MAIN_LOG = re.compile(rf"s:({NUMERAL}) (tel|trl|eval):(\S{{1,40}})(?: .{{0,200}})?")
LOSSES: dict[str, Metric] = {"tel": "validation", "trl": "train"}


def line(text: str) -> Entry | None:
    if alone := VALIDATION.fullmatch(text):
        number = read_value(alone[1])
        return Entry(losses={"validation": number}) if number else Entry(refused=text.strip())
    if not (match := MAIN_LOG.fullmatch(text.strip())):
        return None
    step, number = read_count(match[1]), read_value(match[3])
    if step is None or number is None:
        return Entry(refused=match[0])
    losses = {LOSSES[match[2]]: number} if match[2] in LOSSES else {}
    return Entry(counters={"step": Count(step)}, losses=losses)


FORMAT = Format(program="llm.c", line=line)

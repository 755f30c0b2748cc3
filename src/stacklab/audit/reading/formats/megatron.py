"""Megatron-LM and GPT-NeoX: ` validation loss at iteration 1000 | lm loss value: 4.512345E+00 | lm loss PPL: ...`.
Their training lines begin with `iteration`."""

import re

from stacklab.audit.reading.entry import Count, Entry, Format
from stacklab.audit.reading.number import NUMERAL, read_count, read_value

EVALUATION = re.compile(
    rf"\s{{0,9}}validation (?:loss|results) at ([^|]{{0,120}})\| {{0,9}}lm[ _]loss value: {{0,9}}({NUMERAL})",
    re.IGNORECASE,
)
ITERATION = re.compile(rf"\biteration {{1,9}}({NUMERAL})", re.IGNORECASE)


def line(text: str) -> Entry | None:
    """An evaluation on the test set is understood and left out."""
    match = EVALUATION.match(text)
    if match is None:
        return None
    if "test" in match[1]:
        return Entry()
    number, named = read_value(match[2]), ITERATION.search(match[1])
    count = read_count(named[1]) if named else None
    if number is None or (named and count is None):
        return Entry(refused=match[0].strip())
    return Entry(counters={} if count is None else {"iter": Count(count)}, losses={"validation": number})


FORMAT = Format(program="Megatron-LM", line=line)

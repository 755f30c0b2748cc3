"""llama2.c: `500 | loss 6.0200 | lr 5.000000e-05 | 8000.00ms | mfu 0.21%`; its evaluations begin with `step`."""

import re

from stacklab.audit.reading.entry import Entry, Format
from stacklab.audit.reading.number import NUMERAL
from stacklab.audit.reading.pairs import parse_pairs

ITERATION = re.compile(rf"\s{{0,12}}{NUMERAL}\s{{0,12}}\|\s{{0,12}}loss\b", re.IGNORECASE)


def line(text: str) -> Entry | None:
    return parse_pairs(f"iter {text.strip()}") if ITERATION.match(text) else None


FORMAT = Format(program="llama2.c", line=line)

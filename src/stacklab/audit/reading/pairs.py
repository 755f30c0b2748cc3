"""A line of names and numbers -> one entry: `step 25/500 train 10.7 val 10.6`, `iter 10: loss 3.1, time 12ms`."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from stacklab.audit.reading.entry import Count, Counter, Entry
from stacklab.audit.reading.log import Metric
from stacklab.audit.reading.names import (
    ABSENT,
    LOSS,
    TRAIN,
    VALIDATION,
    count_of,
    counter_of,
    is_bare,
    is_summary,
    metric_of,
    words_of,
)
from stacklab.audit.reading.number import NUMERAL, SPECIAL, Number, read_count, read_value

TOKEN = re.compile(
    rf"(?P<number>{NUMERAL})(?P<clock>:\d[\d:.,]*)?(?:[ \t]{{0,12}}/[ \t]{{0,12}}(?P<total>{NUMERAL}))?"
    r"(?P<unit>[^\W\d_]\w*|%)?"
    r"|(?P<word>[^\W\d]\w*(?:[/.-][^\W\d]\w*)*)"
    r"|(?P<joint>[:=])"
    r"|(?P<blank>[\s\"'`*#]+)"
    r"|(?P<bar>.)",
    re.IGNORECASE,
)
BEFORE = 20
NATS = ("", "nats", "nat")
SPACED = re.compile(r" \d{3}(?!\d|[.:,/]\d)")
LOSS_NAME = re.compile(
    r"(?:loss(?:es)?|bpb|bpc|bits per (?:byte|char(?:acter)?)|perplexity|\bppl|cross[ _-]entropy|\bnll|xent)"
    r"(?![\w/]|[ _]*scale)"
    r"[^|;,\d]{0,16}?[-+]?\.?\d",
    re.IGNORECASE,
)


class Pair(NamedTuple):
    """A phrase and what follows it: a number with its total and unit, a word that stands for none, or nothing (None).

    joined: a colon or an equals sign stands between them. end: the place in the line after the pair.
    """

    phrase: str
    text: str | None
    total: str | None
    unit: str
    joined: bool
    end: int


def loss_named(line: str) -> str | None:
    """The part of a line that names a loss with a number, and thus hides a reading where the line is no entry."""
    match = LOSS_NAME.search(line)
    return line[max(0, match.start() - BEFORE) : match.end() + BEFORE] if match else None


def pairs(line: str) -> Iterator[Pair]:
    """The pairs of a line, in order. Bars, commas, brackets and dashes between blanks end a phrase."""
    phrase: list[str] = []
    joined = False
    for token in TOKEN.finditer(line):
        kind, text = token.lastgroup, token[0]
        if kind == "blank":
            continue
        if kind == "joint":
            joined = bool(phrase)
        elif kind == "word" and not (_is_value(text) and phrase and (joined or metric_of(" ".join(phrase)))):
            phrase.append(text)
            joined = False
        elif kind == "bar" and not (joined and text == "-"):
            if phrase:
                yield Pair(" ".join(phrase), None, None, "", joined, token.end())
                phrase, joined = [], False
        else:
            number = token["number"] + (token["clock"] or "") if token["number"] else text
            yield Pair(" ".join(phrase), number, token["total"], token["unit"] or "", joined, token.end())
            phrase, joined = [], False
    if phrase:
        yield Pair(" ".join(phrase), None, None, "", joined, len(line))


def record_of(line: str) -> dict[str, str]:
    """The names of a line with their numbers, the first of each; numbers with a unit are left out."""
    record: dict[str, str] = {}
    for pair in pairs(line):
        if pair.phrase and pair.text is not None and not pair.unit:
            record.setdefault(pair.phrase, pair.text)
    return record


def _is_value(word: str) -> bool:
    return SPECIAL.fullmatch(word) is not None or word.lower() in ABSENT


def parse_pairs(line: str) -> Entry | None:
    """The entry of a line that begins with a counter. None for any other line; prose has other words before it."""
    reader = _Line(line)
    for pair in pairs(line):
        if not reader.take(pair):
            return None
    if not reader.counters and not (reader.refused and reader.named):
        return None
    if reader.early and not all(pair.joined for pair in reader.early):
        return None
    return Entry(
        counters=reader.counters,
        losses=reader.losses,
        absent=frozenset(reader.absent - reader.losses.keys()),
        refused=reader.refused,
    )


class _Line:
    """early: losses before the first counter. named: a loss is on the line. validation: what a loss without a part
    stands for on this line."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.counters: dict[Counter, Count] = {}
        self.losses: dict[Metric, Number] = {}
        self.absent: set[Metric] = set()
        self.refused = ""
        self.early: list[Pair] = []
        self.named = False
        self.validation = self.last_part = False

    def take(self, pair: Pair) -> bool:
        """False where the line is no entry."""
        words = words_of(pair.phrase)
        if pair.text is None:
            if words and words <= VALIDATION | TRAIN:
                self.validation = self.last_part = not words & TRAIN
            return True
        counter = counter_of(pair.phrase) if words else None
        if counter is not None:
            self.validation = self.validation or bool(words & VALIDATION)
            self._count(counter, pair)
            return True
        held_out = self.validation or (self.last_part and not words & LOSS)
        metric = metric_of(pair.phrase, validation=held_out)
        if metric is not None:
            self.last_part = "validation" in metric
            self._loss(metric, pair)
            return True
        # A summary such as `Best: step 350, loss 5.6` is no entry.
        return bool(self.counters) or not is_summary(pair.phrase)

    def _count(self, counter: Counter, pair: Pair) -> None:
        text = pair.text or ""
        # `step 1 500` may be step 1,500; `10.0` is whole in records only.
        whole = counter == "epoch" or read_count(text) is not None
        spaced = SPACED.match(self.line, pair.end)
        count = None if pair.unit or spaced or not whole else count_of(counter, text)
        if count is None:
            self._refuse(pair)
        else:
            total = read_count(pair.total) if pair.total else None
            self.counters.setdefault(counter, count._replace(total=total))

    def _loss(self, metric: Metric, pair: Pair) -> None:
        text = pair.text or ""
        self.named = True
        if is_bare(pair.phrase) and metric == "train" and "step" not in self.counters:
            metric = "batch" if self.counters.keys() & {"iter", "batch"} else metric
        if text.lower() in ABSENT:
            self.absent.add(metric)
            return
        if not self.counters and not self.refused:
            self.early.append(pair)
        number = read_value(text)
        if number is None or pair.total or pair.unit.lower() not in NATS or SPACED.match(self.line, pair.end):
            self._refuse(pair)
        elif not is_summary(pair.phrase):
            self.losses.setdefault(metric, number)

    def _refuse(self, pair: Pair) -> None:
        total = f"/{pair.total}" if pair.total else ""
        spaced = SPACED.match(self.line, pair.end)
        shown = f"{pair.phrase} {pair.text}{total}{pair.unit}{spaced[0] if spaced else ''}"
        self.refused = self.refused or shown

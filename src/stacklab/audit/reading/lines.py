"""Training logs printed as lines: `step 25/500 train 10.7 val 10.6`, nanoGPT's `step` and `iter` lines, and similar
ones."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stacklab.audit.reading.log import Log, LogBuilder, Metric, Trouble, TroubleKind

LONGEST_LINE = 2_000
HEADING_REACH = 5

NUMBER = r"([-+]?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|nan|inf(?:inity)?)(?![\w]))"
JOIN = r"[\"']?\s*[:=]?\s*"
STEP = re.compile(rf"\b(step|iter(?:ation)?)\b{JOIN}(\d{{1,15}})(?:\s*/\s*(\d{{1,15}}))?", re.IGNORECASE)
LOSS = re.compile(
    rf"\b(?:(train(?:ing)?|val(?:id(?:ation)?)?|eval)(?:[ _/.-]?loss)?|loss){JOIN}{NUMBER}", re.IGNORECASE
)
EPOCH = re.compile(rf"\bepoch{JOIN}(\d{{1,9}})\b(?!\.)", re.IGNORECASE)
# What may stand before the step of a log line: time stamps, levels, the epoch. Prose has other words.
HEAD = re.compile(r"[\W\d_]*(?:(?:epoch|info|debug|[tz])[\W\d_]*)*", re.IGNORECASE)
HEADING = re.compile(r"\W*(\d{1,4})[ -]+(?:attention[ -]+)?layers?\b[^.]{0,30}", re.IGNORECASE)


class Row(NamedTuple):
    """A line that starts like a log line. `losses` may be empty, and then the line is damaged."""

    keyword: str
    step: int
    planned: int | None
    epoch: int | None
    losses: dict[Metric, float]
    decimals: int
    tail: str


def parse_row(line: str) -> Row | None:
    """The row of a log line; None for any other line."""
    line = line[:LONGEST_LINE]
    step = STEP.search(line)
    if step is None or not HEAD.fullmatch(line[: step.start()]):
        return None
    keyword = "iter" if step[1].lower().startswith("iter") else "step"
    losses: dict[Metric, float] = {}
    end = step.end()
    last = ""
    for loss in LOSS.finditer(line, step.end()):
        losses.setdefault(_metric(loss[1], keyword), float(loss[2]))
        end, last = loss.end(), loss[2]
    epoch = EPOCH.search(line)
    return Row(
        keyword=keyword,
        step=int(step[2]),
        planned=int(step[3]) if step[3] else None,
        epoch=int(epoch[1]) if epoch else None,
        losses=losses,
        decimals=len(last.partition(".")[2]),
        tail=line[end:].strip(),
    )


def read_lines(lines: Sequence[tuple[int, str]], *, source: str, stem: str, whole: bool) -> tuple[list[Log], list[str]]:
    """The logs of a text, and its other lines. `whole`: the text ends with a line break."""
    reader = _Reader(source=source, stem=stem)
    rest = []
    for number, line in lines:
        row = parse_row(line)
        if row is None or not (row.losses or reader.inside):
            rest.append(line)
            reader.prose(line)
        else:
            reader.take(row, number, cut=not whole and number == lines[-1][0])
    return reader.logs(), rest


@dataclass
class _Reader:
    """A log begins where the steps start over: at or before the first step of the log so far."""

    source: str
    stem: str
    builders: list[LogBuilder] = field(default_factory=list)
    above: list[str] = field(default_factory=list)
    inside: bool = False
    previous: dict[str, Row] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    damaged: tuple[int, Row] | None = None

    def prose(self, line: str) -> None:
        if line.strip():
            self._settle(last=True)
            self.inside = False
            self.above = [*self.above[1 - HEADING_REACH :], line.strip()]

    def take(self, row: Row, number: int, *, cut: bool) -> None:
        # A step without losses decides nothing: it may be the incomplete end of the log before it.
        if row.losses and (not self.builders or self._starts_over(row) or self._named_anew()):
            self._settle(last=True)
            self._begin()
        self._settle(last=False)
        before = self.previous.get(row.keyword)
        self.inside = True
        self.above = []
        if not row.losses or (before is not None and _lacks(row, before, cut=cut)):
            self.damaged = number, row
            return
        self.first.setdefault(row.keyword, row.step)
        self.previous[row.keyword] = row
        self._store(row, number)

    def logs(self) -> list[Log]:
        self._settle(last=True)
        return [builder.build() for builder in self.builders if not builder.empty]

    def _store(self, row: Row, number: int) -> None:
        builder = self.builders[-1]
        builder.planned_steps = row.planned or builder.planned_steps
        if row.epoch is not None:
            builder.epochs[row.step] = row.epoch
        for metric, value in row.losses.items():
            builder.add(metric, row.step, value, line=number)

    def _settle(self, *, last: bool) -> None:
        """A damaged line at the end of its log counts as truncated and is left out; elsewhere its losses are kept."""
        if self.damaged is None:
            return
        number, row = self.damaged
        self.damaged = None
        what = "the line breaks off and is left out" if last else "the line lacks losses that others have"
        kind: TroubleKind = "log-truncated" if last else "log-damaged"
        self.builders[-1].troubles.append(Trouble(kind, number, row.step, what))
        if not last:
            self._store(row, number)

    def _starts_over(self, row: Row) -> bool:
        """Back at the first step after others. A line printed by each of several processes repeats its step at once."""
        first = self.first.get(row.keyword)
        return first is not None and row.step <= first < self.previous[row.keyword].step

    def _named_anew(self) -> bool:
        return any(HEADING.fullmatch(line) for line in self.above)

    def _begin(self) -> None:
        heading = next((line for line in reversed(self.above) if HEADING.fullmatch(line)), "")
        name = heading or (self.stem if not self.builders else f"{self.stem} {len(self.builders) + 1}")
        self.builders.append(LogBuilder(name=name, source=self.source))
        self.previous, self.first = {}, {}


def _metric(word: str | None, keyword: str) -> Metric:
    if word is None:
        return "batch" if keyword == "iter" else "train"
    return "train" if word.lower().startswith("train") else "validation"


def _lacks(row: Row, before: Row, *, cut: bool) -> bool:
    """Whether a loss of the previous line is missing, or the text stops within a number or before what follows it."""
    if row.losses.keys() < before.losses.keys():
        return True
    return cut and not row.tail and (bool(before.tail) or row.decimals < before.decimals)

"""Training logs printed as lines -> logs, and the other lines of the text."""

import re
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stacklab.audit.reading.build import build_log, skeleton
from stacklab.audit.reading.entry import Count, Counter, Entry, Row
from stacklab.audit.reading.log import Log, Trouble, TroubleKind, shown
from stacklab.audit.reading.names import SUMMARY, words_of
from stacklab.audit.reading.pairs import loss_named, parse_pairs
from stacklab.audit.reading.programs import load_formats

LONGEST_LINE, LONGEST_RECORD = 2_000, 100_000
HEADING_REACH = 5

COLOUR = re.compile(r"\x1b\[[\d;]{0,40}m")
HEADING = re.compile(r"\W{0,9}(\d{1,4})[ -]+(?:attention[ -]+)?layers?\b[^.]{0,30}", re.IGNORECASE)
MARKED = re.compile(r"#{1,6} +(?!.*\b(?:epoch|step|eval|valid|checkpoint))(\S.{0,80})", re.IGNORECASE)
COLON = re.compile(r"(?!traceback|warning|error)(\w[^:{}\[\]]{2,80}):", re.IGNORECASE)
RESUMED = re.compile(r"\bresum|\brestor|\bload(?:ing|ed)? .{0,40}checkpoint|\bcontinu", re.IGNORECASE)
SETTING = re.compile(
    r"\b(n_layers?|num_layers|n_heads?|num_heads|n_embd|d_model|hidden_size|dropout|weight_decay|optimi[sz]er|seed|"
    r"block_size|sequence_length|number of parameters)\b[\"']?\s{0,8}[:=]\s{0,8}[\"']?([\w.+-]{1,40})",
    re.IGNORECASE,
)


def entry_of_line(line: str) -> Entry | None:
    """The entry of a line in any format; None for any other line. What exceeds LONGEST_LINE is not read."""
    longest = LONGEST_RECORD if line.lstrip()[:1] == "{" else LONGEST_LINE
    if len(line) > longest:
        line = line[:longest].rpartition(" ")[0]
    for each in load_formats():
        if each.line is not None and (entry := each.line(line)) is not None:
            return entry
    return parse_pairs(line)


def read_lines(lines: Sequence[tuple[int, str]], *, source: str, stem: str, whole: bool) -> tuple[list[Log], list[str]]:
    """The logs of a text, and its other lines. `whole`: the text ends with a line break.

    Lines that name a loss and were not understood are troubles of the log that they stand in; without any log, of one
    without readings.
    """
    reader = _Text()
    rest = []
    for number, line in lines:
        text = COLOUR.sub("", line) if "\x1b" in line else line
        entry = entry_of_line(text)
        if entry is None or not reader.take(Row(number, entry, text)):
            rest.append(text)
            reader.prose(number, text)
    cut = None if whole or not lines else lines[-1][0]
    return reader.logs(source, stem, cut=cut), rest


def logs_of_rows(rows: Sequence[Row], *, source: str, stem: str) -> list[Log]:
    """The logs of entries that stand in one list, in its order."""
    reader = _Text()
    for row in rows:
        reader.take(row)
    return reader.logs(source, stem, cut=None)


@dataclass
class _Run:
    """The rows of a log so far, the last and the first value of each counter, and the heading above it."""

    run: str
    seed: str
    heading: str
    strong: bool
    rows: list[Row] = field(default_factory=list)
    first: dict[Counter, float] = field(default_factory=dict)
    previous: dict[Counter, float] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        if row.entry.losses:
            for counter, count in row.entry.counters.items():
                self.first.setdefault(counter, count.value)
                self.previous[counter] = count.value

    def falls_to(self, entry: Entry) -> tuple[float, float] | None:
        """The value of the entry's counter where it is lower than before, and the counter's first one. A counter that
        restarts with an epoch does not fall."""
        counter: Counter | None = next((each for each in entry.counters if each != "epoch"), None)
        epoch = entry.counters.get("epoch")
        rises = epoch is not None and epoch.value > self.previous.get("epoch", epoch.value)
        counter = counter or ("epoch" if epoch is not None else None)
        if counter is None or rises or counter not in self.previous:
            return None
        value = entry.counters[counter].value
        return (value, self.first[counter]) if value < self.previous[counter] else None


class Unread(NamedTuple):
    """A line that names a loss and is no entry, and the run that it stands in or after."""

    line: int
    text: str
    kind: str
    run: int


@dataclass
class _Text:
    """A log begins where the steps start over, where prose stands before an earlier step, under a heading, and after
    other settings; a text that speaks of resuming continues the log."""

    runs: list[_Run] = field(default_factory=list)
    open: dict[tuple[str, str], _Run] = field(default_factory=dict)
    above: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    refused: list[Row] = field(default_factory=list)
    last: dict[Counter, Count] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    changed: bool = False
    resumed: bool = False

    def prose(self, number: int, line: str) -> None:
        if not line.strip():
            return
        self.above = [*self.above[1 - HEADING_REACH :], line.strip()[:LONGEST_LINE]]
        line = self.above[-1]
        self.resumed = self.resumed or RESUMED.search(line) is not None
        for match in SETTING.finditer(line):
            name, value = match[1].lower(), match[2]
            self.changed = self.changed or self.settings.get(name, value) != value
            self.settings[name] = value
        named = loss_named(line)
        if named is not None and not words_of(line) & SUMMARY:
            self.unread.append(Unread(number, named, skeleton(line), len(self.runs) - 1))

    def take(self, row: Row) -> bool:
        """False where the line is no part of a log."""
        entry, key = row.entry, (row.entry.run, row.entry.seed)
        if entry.refused:
            (self.open[key].rows if key in self.open else self.refused).append(row)
            return True
        if not entry.losses and not entry.absent:
            self.last = dict(entry.counters) or self.last
            if key in self.open and not self.above:
                self.open[key].rows.append(row)
            return not entry.counters or (key in self.open and not self.above)
        if not entry.counters:
            row = row._replace(entry=_standing_at(entry, self.last))
        if key not in self.open or self._begins(self.open[key], row.entry):
            self._begin(key)
        self.open[key].add(row)
        self.above, self.changed, self.resumed = [], False, False
        self.last = dict(row.entry.counters)
        return True

    def logs(self, source: str, stem: str, *, cut: int | None) -> list[Log]:
        tally = Tally(each.kind for each in self.unread)
        troubles: dict[int, list[Trouble]] = {}
        for each in self.unread:
            again = tally[each.kind] > 1
            if again or self.runs:
                kind: TroubleKind = "log-unread" if again else "log-aside"
                troubles.setdefault(max(each.run, 0), []).append(Trouble(kind, each.line, None, repr(shown(each.text))))
        runs = self.runs or ([_Run("", "", "", strong=False)] if self.refused or troubles else [])
        if runs:
            runs[0].rows[:0] = self.refused
        return [
            build_log(
                run.rows,
                name=_name(run, index, stem, several=len(runs) > 1),
                arm=run.run or (stem if run.seed else ""),
                source=source,
                cut=bool(run.rows) and run.rows[-1].line == cut,
                troubles=troubles.get(index, ()),
            )
            for index, run in enumerate(runs)
        ]

    def _begins(self, run: _Run, entry: Entry) -> bool:
        if not self.resumed and (self.changed or self._heading()[1]):
            return True
        falls = run.falls_to(entry)
        if falls is None:
            return False
        value, first = falls
        return value <= max(first, 1) or (bool(self.above) and not self.resumed)

    def _begin(self, key: tuple[str, str]) -> None:
        heading, strong = self._heading()
        run = _Run(key[0], key[1], heading, strong)
        self.runs.append(run)
        self.open[key] = run

    def _heading(self) -> tuple[str, bool]:
        """The nearest heading above, and whether it opens a log by itself: a mark or a number of layers does."""
        for line in reversed(self.above):
            if HEADING.fullmatch(line):
                return line, True
            if marked := MARKED.fullmatch(line):
                return marked[1], True
            if colon := COLON.fullmatch(line):
                return colon[1], False
        return "", False


def _standing_at(entry: Entry, counters: dict[Counter, Count]) -> Entry:
    return Entry(
        counters=counters,
        losses=entry.losses,
        absent=entry.absent,
        refused=entry.refused,
        run=entry.run,
        seed=entry.seed,
    )


def _name(run: _Run, index: int, stem: str, *, several: bool) -> str:
    if run.run or run.seed:
        return f"{run.run or stem} seed {run.seed}" if run.seed else run.run
    if run.heading and (run.strong or several):
        return run.heading
    return f"{stem} {index + 1}" if index else stem

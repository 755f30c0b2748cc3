"""Arithmetic chains: two amounts change in turn; the question is about one of them.

    user    Ana has 12 coins. Ben has 5 coins. Ana finds 4 more. Ben loses 3. Ana now has 2 times as many.
            How many coins does Ana have at the end?
    hop 1   12 + 4 = 16.        (Ana finds 4 more)
    hop 2   16 * 2 = 32.        (Ana now has 2 times as many)
    answer  32                  Ben's change is no hop: it does not touch the queried amount

A hop is one change of the queried amount. All amounts stay within 0..99.
"""

from dataclasses import dataclass

from stacklab.base.errors import DataError
from stacklab.data.procedural.draw import Draw
from stacklab.data.procedural.problem import RenderedProblem, lay_out, patterns, read
from stacklab.data.procedural.words import COLOURS, COUNTED, LETTERS, PEOPLE

LARGEST = 99


@dataclass(frozen=True, slots=True)
class Change:
    """`before` `sign` `amount` = `after`, with sign one of + - *."""

    before: int
    sign: str
    amount: int
    after: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Two amounts, the first of which is queried; `changes` holds (which amount, its change) in time order."""

    starts: tuple[int, int]
    changes: tuple[tuple[int, Change], ...]


@dataclass(frozen=True, slots=True)
class ArithmeticWording:
    owners: tuple[str, ...]
    start: tuple[str, ...]
    change: dict[str, tuple[str, ...]]
    ask: tuple[str, ...]


WORDINGS = (
    ArithmeticWording(
        owners=PEOPLE,
        start=("{who} has {n} {things}.", "{who} starts with {n} {things}."),
        change={
            "+": ("{who} finds {n} more.", "{who} gets {n} more.", "{who} buys {n} more."),
            "-": ("{who} loses {n}.", "{who} sells {n}.", "{who} gives away {n}."),
            "*": ("{who} now has {n} times as many.",),
        },
        ask=(
            "How many {things} does {who} have at the end?",
            "At the end, how many {things} does {who} have?",
        ),
    ),
    ArithmeticWording(
        owners=COLOURS,
        start=("The {who} box holds {n} {things}.", "There are {n} {things} in the {who} box."),
        change={
            "+": ("Put {n} more into the {who} box.", "{n} more go into the {who} box."),
            "-": ("Take {n} out of the {who} box.", "{n} fall out of the {who} box."),
            "*": ("Now the {who} box holds {n} times as many.",),
        },
        ask=(
            "How many {things} are in the {who} box at the end?",
            "At the end, how many {things} does the {who} box hold?",
        ),
    ),
    ArithmeticWording(
        owners=LETTERS,
        start=("Let {who} be {n}.", "Set {who} to {n}."),
        change={
            "+": ("Add {n} to {who}.", "Raise {who} by {n}."),
            "-": ("Take {n} from {who}.", "Lower {who} by {n}."),
            "*": ("Multiply {who} by {n}.",),
        },
        ask=("What is {who} at the end?", "At the end, what is {who}?"),
    ),
)
STEPS = ("{c.before} {c.sign} {c.amount} = {c.after}.", "Now {c.before} {c.sign} {c.amount} = {c.after}.")


def sample(rng: Draw, hops: int) -> RenderedProblem:
    ledger = draw_ledger(rng, hops)
    wording = rng.pick(WORDINGS)
    owners = rng.some(wording.owners, 2)
    things = rng.pick(COUNTED)
    facts = rng.shuffled(
        [
            rng.pick(wording.start).format(who=who, n=n, things=things)
            for who, n in zip(owners, ledger.starts, strict=True)
        ]
    )
    for owner, change in ledger.changes:
        facts.append(rng.pick(wording.change[change.sign]).format(who=owners[owner], n=change.amount))
    ask = rng.pick(wording.ask).format(who=owners[0], things=things)
    own = [change for owner, change in ledger.changes if owner == 0]
    step = rng.pick(STEPS)
    return RenderedProblem(lay_out(rng, facts, ask), tuple(step.format(c=c) for c in own), str(own[-1].after))


def draw_ledger(rng: Draw, hops: int) -> Ledger:
    owners = rng.shuffled([0] * hops + [1] * rng.whole(1, 3))
    starts = (rng.whole(2, 30), rng.whole(2, 30))
    amounts = list(starts)
    changes = []
    for owner in owners:
        change = draw_change(rng, amounts[owner])
        amounts[owner] = change.after
        changes.append((owner, change))
    return Ledger(starts, tuple(changes))


def draw_change(rng: Draw, before: int) -> Change:
    while True:
        sign = rng.pick("++--*")
        amount = rng.whole(2, 3) if sign == "*" else rng.whole(2, 15)
        after = {"+": before + amount, "-": before - amount, "*": before * amount}[sign]
        if 0 <= after <= LARGEST:
            return Change(before, sign, amount, after)


_SENTENCES = patterns(
    start=(
        r"(?P<who>\w+) (has|starts with) (?P<n>\d+) \w+",
        r"The (?P<who>\w+) box holds (?P<n>\d+) \w+",
        r"There are (?P<n>\d+) \w+ in the (?P<who>\w+) box",
        r"Let (?P<who>\w) be (?P<n>\d+)",
        r"Set (?P<who>\w) to (?P<n>\d+)",
    ),
    more=(
        r"(?P<who>\w+) (finds|gets|buys) (?P<n>\d+) more",
        r"(Put )?(?P<n>\d+) more (go )?into the (?P<who>\w+) box",
        r"Add (?P<n>\d+) to (?P<who>\w)",
        r"Raise (?P<who>\w) by (?P<n>\d+)",
    ),
    less=(
        r"(?P<who>\w+) (loses|sells|gives away) (?P<n>\d+)",
        r"(Take )?(?P<n>\d+) (fall )?out of the (?P<who>\w+) box",
        r"Take (?P<n>\d+) from (?P<who>\w)",
        r"Lower (?P<who>\w) by (?P<n>\d+)",
    ),
    times=(
        r"(?P<who>\w+) now has (?P<n>\d+) times as many",
        r"Now the (?P<who>\w+) box holds (?P<n>\d+) times as many",
        r"Multiply (?P<who>\w) by (?P<n>\d+)",
    ),
    question=(
        r"How many \w+ does (?P<who>\w+) have at the end",
        r"At the end, how many \w+ does (?P<who>\w+) have",
        r"How many \w+ are in the (?P<who>\w+) box at the end",
        r"At the end, how many \w+ does the (?P<who>\w+) box hold",
        r"What is (?P<who>\w) at the end",
        r"At the end, what is (?P<who>\w)",
    ),
)


def solve(text: str) -> str:
    """The final amount, by applying every change. Raises DataError for other text."""
    queried = ""
    amounts: dict[str, int] = {}
    for kind, groups in read(text, _SENTENCES):
        who = groups["who"]
        if kind == "question":
            queried = who
        elif kind == "start":
            amounts[who] = int(groups["n"])
        elif who not in amounts:
            raise DataError(f"problem text: the amount of {who} changes before it is stated")
        elif kind == "more":
            amounts[who] += int(groups["n"])
        elif kind == "less":
            amounts[who] -= int(groups["n"])
        else:
            amounts[who] *= int(groups["n"])
    if queried not in amounts:
        raise DataError("problem text: no question about an amount that is stated")
    return str(amounts[queried])

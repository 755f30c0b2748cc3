"""Tracking state: things change hands or boxes in turn; who has one of them, or where is it, at the end?

    user    Ana has the key. Ben has the ball. Ida has the map. Tom has the hat. Ana and Ben swap. Ida and Tom swap.
            Ida trades with Ben. Ana and Tom swap. Who has the key at the end?
    hop 1   key from Ana to Ben.      (Ana and Ben swap)
    hop 2   key from Ben to Ida.      (Ida trades with Ben)
    answer  Ida                       the swaps with Tom do not touch the key

A hop is one event that moves the queried thing.
"""

from dataclasses import dataclass
from itertools import pairwise

from stacklab.base.errors import DataError
from stacklab.data.procedural.draw import Draw
from stacklab.data.procedural.problem import RenderedProblem, lay_out, patterns, read
from stacklab.data.procedural.words import COLOURS, OBJECTS, PEOPLE, PLACES

HOLDERS = 4


@dataclass(frozen=True, slots=True)
class StateWording:
    """Sentences about holders; `swaps`: an event exchanges two contents, else it moves one into the other."""

    holders: tuple[str, ...]
    start: tuple[str, ...]
    event: tuple[str, ...]
    ask: tuple[str, ...]
    swaps: bool


WORDINGS = (
    StateWording(
        holders=PEOPLE,
        start=("{a} has the {x}.", "{a} holds the {x}."),
        event=("{a} and {b} swap.", "{a} trades with {b}."),
        ask=("Who has the {x} at the end?", "At the end, who has the {x}?"),
        swaps=True,
    ),
    StateWording(
        holders=COLOURS,
        start=("The {x} is in the {a} box.", "The {a} box holds the {x}."),
        event=("Swap what is in {a} and {b}.", "The contents of {a} and {b} swap."),
        ask=("Which box holds the {x} at the end?", "At the end, where is the {x}?"),
        swaps=True,
    ),
    StateWording(
        holders=COLOURS,
        start=("The {x} is in the {a} box.", "The {a} box holds the {x}."),
        event=("Empty {a} into {b}.", "Pour {a} into {b}."),
        ask=("Which box holds the {x} at the end?", "At the end, where is the {x}?"),
        swaps=False,
    ),
    StateWording(
        holders=PLACES,
        start=("The {x} is at the {a}.",),
        event=("Carry all from the {a} to the {b}.", "Take all from the {a} to the {b}."),
        ask=("Where is the {x} at the end?", "At the end, where is the {x}?"),
        swaps=False,
    ),
)
STEPS = ("{x} from {a} to {b}.", "{x}: {a} to {b}.")


@dataclass(frozen=True, slots=True)
class Trace:
    """Who holds what at first (the question is about the first holder's thing), all events in turn, and its path."""

    holders: tuple[str, ...]
    things: tuple[str, ...]
    events: tuple[tuple[str, str], ...]
    path: tuple[str, ...]


def sample(rng: Draw, hops: int) -> RenderedProblem:
    wording = rng.pick(WORDINGS)
    trace = draw_trace(rng, wording, hops)
    thing = trace.things[0]
    starts = rng.shuffled(list(zip(trace.holders, trace.things, strict=True)))
    facts = [rng.pick(wording.start).format(a=a, x=x) for a, x in starts]
    facts += [rng.pick(wording.event).format(a=a, b=b) for a, b in trace.events]
    question = rng.pick(wording.ask).format(x=thing)
    step = rng.pick(STEPS)
    steps = tuple(step.format(x=thing, a=a, b=b) for a, b in pairwise(trace.path))
    return RenderedProblem(lay_out(rng, facts, question), steps, trace.path[-1])


def draw_trace(rng: Draw, wording: StateWording, hops: int) -> Trace:
    holders = rng.some(wording.holders, HOLDERS)
    # Idle events at the end matter: without them the last event would give the answer away.
    idle = rng.whole(2, 3)
    trailing = rng.whole(0, idle)
    moves = [*rng.shuffled([True] * (hops - 1) + [False] * (idle - trailing)), True, *[False] * trailing]
    path = [holders[0]]
    events = []
    for moved in moves:
        others = rng.some([holder for holder in holders if holder != path[-1]], HOLDERS - 1)
        if moved:
            pair = [path[-1], others[0]]
            path.append(others[0])
        else:
            pair = others[:2]
        events.append(tuple(rng.shuffled(pair) if wording.swaps else pair))
    things = rng.some(OBJECTS, HOLDERS)
    return Trace(tuple(holders), tuple(things), tuple((a, b) for a, b in events), tuple(path))


_SENTENCES = patterns(
    start=(
        r"(?P<a>\w+) (has|holds) the (?P<x>\w+)",
        r"The (?P<x>\w+) is (in|at) the (?P<a>\w+)( box)?",
        r"The (?P<a>\w+) box holds the (?P<x>\w+)",
    ),
    swap=(
        r"(?P<a>\w+) and (?P<b>\w+) swap",
        r"(?P<a>\w+) trades with (?P<b>\w+)",
        r"Swap what is in (?P<a>\w+) and (?P<b>\w+)",
        r"The contents of (?P<a>\w+) and (?P<b>\w+) swap",
    ),
    move=(
        r"(Empty|Pour) (?P<a>\w+) into (?P<b>\w+)",
        r"(Carry|Take) all from the (?P<a>\w+) to the (?P<b>\w+)",
    ),
    question=(
        r"(Who has|Which box holds|Where is) the (?P<x>\w+) at the end",
        r"At the end, (who has|where is) the (?P<x>\w+)",
    ),
)


def solve(text: str) -> str:
    """Applies every event to all holders, then looks the thing up."""
    queried = ""
    contents: dict[str, set[str]] = {}
    for kind, groups in read(text, _SENTENCES):
        if kind == "question":
            queried = groups["x"]
        elif kind == "start":
            contents.setdefault(groups["a"], set()).add(groups["x"])
        else:
            a, b = groups["a"], groups["b"]
            at_a, at_b = contents.get(a, set()), contents.get(b, set())
            contents[a], contents[b] = (at_b, at_a) if kind == "swap" else (set(), at_a | at_b)
    holders = [holder for holder, things in contents.items() if queried in things]
    if len(holders) != 1:
        raise DataError(f"problem text: {len(holders)} holders of {queried!r}; expected one")
    return holders[0]

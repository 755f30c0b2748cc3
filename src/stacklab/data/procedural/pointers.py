"""Following pointers: each place points to another one; where does one arrive after k steps?

    user    The pink box points to red. The note in blue says pink. The red box points to gray. After gray comes red.
            The gold box points to blue. Starting at blue, where are you after two steps?
    hop 1   blue leads to pink.
    hop 2   pink leads to red.
    answer  red                 gray and gold are never visited

A hop is one pointer followed. No place is visited twice on the way.
"""

from dataclasses import dataclass
from itertools import pairwise

from stacklab.base.errors import DataError
from stacklab.data.procedural.draw import Draw
from stacklab.data.procedural.problem import RenderedProblem, lay_out, patterns, read
from stacklab.data.procedural.words import COLOURS, NUMBERS, PLACES


@dataclass(frozen=True, slots=True)
class Walk:
    """`visited` from start to answer; `target` holds where every place points to."""

    visited: tuple[str, ...]
    target: dict[str, str]


@dataclass(frozen=True, slots=True)
class PointerWording:
    places: tuple[str, ...]
    fact: tuple[str, ...]
    ask: tuple[str, ...]


WORDINGS = (
    PointerWording(
        places=COLOURS,
        fact=("The {a} box points to {b}.", "The note in {a} says {b}.", "After {a} comes {b}."),
        ask=(
            "Starting at {a}, where are you after {k}?",
            "Which box do you reach from {a} after {k}?",
            "Take {k} from {a} and tell me where you are.",
        ),
    ),
    PointerWording(
        places=PLACES,
        fact=("From the {a} go to the {b}.", "The sign at the {a} says {b}.", "After the {a} comes the {b}."),
        ask=(
            "Starting at the {a}, where are you after {k}?",
            "Which place do you reach from the {a} after {k}?",
            "Take {k} from the {a} and tell me where you are.",
        ),
    ),
)
STEPS = ("{a} leads to {b}.", "From {a} to {b}.")


def sample(rng: Draw, hops: int) -> RenderedProblem:
    wording = rng.pick(WORDINGS)
    walk = draw_walk(rng, wording.places, hops)
    facts = [rng.pick(wording.fact).format(a=a, b=b) for a, b in rng.shuffled(list(walk.target.items()))]
    count = "one step" if hops == 1 else f"{NUMBERS[hops - 1]} steps"
    question = rng.pick(wording.ask).format(a=walk.visited[0], k=count)
    step = rng.pick(STEPS)
    steps = tuple(step.format(a=a, b=b) for a, b in pairwise(walk.visited))
    return RenderedProblem(lay_out(rng, facts, question), steps, walk.visited[-1])


def draw_walk(rng: Draw, pool: tuple[str, ...], hops: int) -> Walk:
    places = rng.some(pool, rng.whole(max(5, hops + 1), max(7, hops + 3)))
    visited = tuple(places[: hops + 1])
    target = dict(pairwise(visited))
    for place in places[hops:]:
        # The answer and the places off the path point anywhere else, so that nothing marks the end.
        target[place] = rng.pick([other for other in places if other != place])
    return Walk(visited, target)


_COUNT = "|".join(NUMBERS)
_SENTENCES = patterns(
    fact=(
        r"The (?P<a>\w+) box points to (?P<b>\w+)",
        r"The note in (?P<a>\w+) says (?P<b>\w+)",
        r"The sign at the (?P<a>\w+) says (?P<b>\w+)",
        r"From the (?P<a>\w+) go to the (?P<b>\w+)",
        r"After (the )?(?P<a>\w+) comes (the )?(?P<b>\w+)",
    ),
    question=(
        r"Starting at (the )?(?P<a>\w+), where are you after (?P<k>" + _COUNT + r") steps?",
        r"Which (box|place) do you reach from (the )?(?P<a>\w+) after (?P<k>" + _COUNT + r") steps?",
        r"Take (?P<k>" + _COUNT + r") steps? from (the )?(?P<a>\w+) and tell me where you are",
    ),
)


def solve(text: str) -> str:
    """The place after the stated number of steps. Raises DataError for other text."""
    target: dict[str, str] = {}
    place, count = "", 0
    for kind, groups in read(text, _SENTENCES):
        if kind == "question":
            place, count = groups["a"], NUMBERS.index(groups["k"]) + 1
        else:
            target[groups["a"]] = groups["b"]
    for _ in range(count):
        if place not in target:
            raise DataError(f"problem text: {place!r} points nowhere")
        place = target[place]
    if not count:
        raise DataError("problem text: no question")
    return place

"""Orderings: neighbours in a line are compared, facts shuffled; who is the k-th from one end?

    user    Leo is shorter than Ana. Leo is taller than Ida. Kate is taller than Ana. Ida is older than Leo.
            Next to Max, Ida is taller. Who is the second tallest?
    hop 1   Nobody is taller than Kate.
    hop 2   Kate is taller than Ana.
    answer  Ana                 the fact about age is no hop: another trait than the queried one

The k-th from an end takes k hops: find the end, then k - 1 neighbours. There are at least 2 k - 1 people, so that
counting from the other end is never shorter.
"""

from dataclasses import dataclass
from itertools import pairwise

from stacklab.base.errors import DataError
from stacklab.data.procedural.draw import Draw
from stacklab.data.procedural.problem import RenderedProblem, lay_out, patterns, read
from stacklab.data.procedural.words import ORDINALS, PEOPLE


@dataclass(frozen=True, slots=True)
class Trait:
    more: str
    less: str
    most: str
    least: str

    def seen_from(self, *, top: bool) -> tuple[str, str]:
        """(comparative, superlative) towards one end."""
        return (self.more, self.most) if top else (self.less, self.least)


TRAITS = (
    Trait("taller", "shorter", "tallest", "shortest"),
    Trait("older", "younger", "oldest", "youngest"),
    Trait("heavier", "lighter", "heaviest", "lightest"),
    Trait("faster", "slower", "fastest", "slowest"),
)
COMPARE = ("{a} is {more} than {b}.", "{b} is {less} than {a}.", "Next to {b}, {a} is {more}.")
ASK = ("Who is the {place}{most}?", "Who of them is the {place}{most}?", "Tell me who is the {place}{most}.")


@dataclass(frozen=True, slots=True)
class Line:
    """People from the most to the least of `trait`; the question is about the `place`-th from the `top` or the bottom.

    `other_pairs` are people compared by `other_trait`, which is never queried.
    """

    trait: Trait
    people: tuple[str, ...]
    other_trait: Trait
    other_pairs: tuple[tuple[str, str], ...]
    place: int
    top: bool


def sample(rng: Draw, hops: int) -> RenderedProblem:
    line = draw_line(rng, hops)
    pairs = [(line.trait, a, b) for a, b in pairwise(line.people)]
    pairs += [(line.other_trait, a, b) for a, b in line.other_pairs]
    facts = [
        rng.pick(COMPARE).format(a=a, b=b, more=trait.more, less=trait.less) for trait, a, b in rng.shuffled(pairs)
    ]
    comparative, superlative = line.trait.seen_from(top=line.top)
    place = "" if line.place == 1 else ORDINALS[line.place - 1] + " "
    question = rng.pick(ASK).format(place=place, most=superlative)
    walk = (line.people if line.top else line.people[::-1])[: line.place]
    steps = [f"Nobody is {comparative} than {walk[0]}."]
    steps += [f"{a} is {comparative} than {b}." for a, b in pairwise(walk)]
    return RenderedProblem(lay_out(rng, facts, question), tuple(steps), walk[-1])


def draw_line(rng: Draw, hops: int) -> Line:
    people = rng.some(PEOPLE, rng.whole(max(5, 2 * hops - 1), max(7, 2 * hops)))
    trait, other_trait = rng.some(TRAITS, 2)
    # Both ends are compared too; otherwise the two people named least often would be the ends. Three people in a
    # line of their own never contradict each other.
    others = rng.shuffled([people[0], people[-1], rng.pick(people[1:-1])])
    other_pairs = tuple(pairwise(others))[: rng.whole(1, 2)]
    return Line(trait, tuple(people), other_trait, other_pairs, place=hops, top=rng.pick((True, False)))


_SENTENCES = patterns(
    comparison=(r"(?P<a>\w+) is (?P<how>\w+) than (?P<b>\w+)", r"Next to (?P<b>\w+), (?P<a>\w+) is (?P<how>\w+)"),
    question=(r"(Who|Who of them|Tell me who) is the ((?P<place>" + "|".join(ORDINALS) + r") )?(?P<most>\w+)",),
)


def solve(text: str) -> str:
    """The one person with exactly k - 1 others beyond, by counting who can be reached."""
    question: dict[str, str] = {}
    beyond: dict[tuple[str, str], set[str]] = {}
    for kind, groups in read(text, _SENTENCES):
        if kind == "question":
            question = groups
            continue
        for trait in TRAITS:
            if groups["how"] in (trait.more, trait.less):
                a, b = groups["a"], groups["b"]
                high, low = (a, b) if groups["how"] == trait.more else (b, a)
                beyond.setdefault((trait.most, low), set()).add(high)
                beyond.setdefault((trait.least, high), set()).add(low)
                beyond.setdefault((trait.most, high), set())
                beyond.setdefault((trait.least, low), set())
    if not question:
        raise DataError("problem text: no question")
    place = ORDINALS.index(question["place"]) + 1 if question["place"] else 1
    graph = {person: direct for (most, person), direct in beyond.items() if most == question["most"]}
    fitting = [person for person in graph if len(_reachable(graph, person)) == place - 1]
    if len(fitting) != 1:
        raise DataError(f"problem text: {len(fitting)} people fit the question; expected one")
    return fitting[0]


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        person = waiting.pop()
        if person not in seen:
            seen.add(person)
            waiting.extend(graph[person])
    return seen

"""Kinship: mothers and fathers are stated in any order; who stands at the end of a path of relations?

    user    Ana is the mother of Tom. Dan's father is Tom. Vera is the mother of Dan. Leo is the father of Ana.
            The mother of Vera is Zoe. Who is Dan's paternal grandmother?
    hop 1   Dan's father is Tom.
    hop 2   Tom's mother is Ana.
    answer  Ana                 Vera, Leo and Zoe are off the path

A hop is one step from a child to a parent.
"""

import re
from dataclasses import dataclass

from stacklab.base.errors import DataError
from stacklab.data.procedural.draw import Draw
from stacklab.data.procedural.problem import RenderedProblem, lay_out, patterns, read
from stacklab.data.procedural.words import MEN, PEOPLE, WOMEN

ROLES = ("mother", "father")
FACTS = ("{parent} is the {role} of {child}.", "{child}'s {role} is {parent}.", "The {role} of {child} is {parent}.")
ASK = ("Who is {whom}?", "Tell me who {whom} is.", "What is the name of {whom}?")
# (first role, second role) -> the word for this grandparent.
GRANDPARENTS = {
    ("mother", "mother"): "maternal grandmother",
    ("mother", "father"): "maternal grandfather",
    ("father", "mother"): "paternal grandmother",
    ("father", "father"): "paternal grandfather",
}


@dataclass(frozen=True, slots=True)
class Tree:
    """`parents` maps (child, role) to the parent; `path` is the roles to follow from `start`."""

    start: str
    path: tuple[str, ...]
    parents: dict[tuple[str, str], str]


def sample(rng: Draw, hops: int) -> RenderedProblem:
    tree = draw_tree(rng, hops)
    facts = [
        rng.pick(FACTS).format(child=child, role=role, parent=parent)
        for (child, role), parent in rng.shuffled(list(tree.parents.items()))
    ]
    question = rng.pick(ASK).format(whom=_describe(rng, tree))
    steps = []
    person = tree.start
    for role in tree.path:
        parent = tree.parents[person, role]
        steps.append(f"{person}'s {role} is {parent}.")
        person = parent
    return RenderedProblem(lay_out(rng, facts, question), tuple(steps), person)


def draw_tree(rng: Draw, hops: int) -> Tree:
    """A path of `hops` parents, and parents of people already named until there are enough facts."""
    names = {"mother": rng.shuffled(WOMEN), "father": rng.shuffled(MEN)}
    start = names[rng.pick(ROLES)].pop()
    path = tuple(rng.pick(ROLES) for _ in range(hops))
    parents: dict[tuple[str, str], str] = {}
    people = [start]
    for role in path:
        parent = names[role].pop()
        parents[people[-1], role] = parent
        people.append(parent)
    wanted = rng.whole(max(5, hops + 1), max(7, hops + 3))
    while len(parents) < wanted:
        link = rng.pick(people), rng.pick(ROLES)
        if link not in parents:
            parents[link] = names[link[1]].pop()
            people.append(parents[link])
    return Tree(start, path, parents)


def _describe(rng: Draw, tree: Tree) -> str:
    wording = rng.whole(0, 2)
    if wording == 0:
        return "".join(f"the {role} of " for role in reversed(tree.path)) + tree.start
    words = list(tree.path)
    if wording == 1 and len(words) > 1:
        words[-2:] = [GRANDPARENTS[words[-2], words[-1]]]
    return "'s ".join([tree.start, *words])


_SENTENCES = patterns(
    # Questions first: "Who is the mother of Dan" would also fit a fact.
    question=(r"Tell me who (?P<whom>.+) is", r"What is the name of (?P<whom>.+)", r"Who is (?P<whom>.+)"),
    fact=(
        r"(?P<parent>\w+) is the (?P<role>mother|father) of (?P<child>\w+)",
        r"(?P<child>\w+)'s (?P<role>mother|father) is (?P<parent>\w+)",
        r"The (?P<role>mother|father) of (?P<child>\w+) is (?P<parent>\w+)",
    ),
)
_LINE = {"maternal": "mother", "paternal": "father"}


def solve(text: str) -> str:
    """Resolves the relation into names from the inside out, by substitution in the question itself."""
    whom = ""
    parent_of: dict[str, str] = {}
    for kind, groups in read(text, _SENTENCES):
        if kind == "question":
            whom = groups["whom"]
        else:
            parent_of[f"{groups['child']} {groups['role']}"] = groups["parent"]
    whom = re.sub(r"(maternal|paternal) grand", lambda side: _LINE[side[1]] + "'s ", whom)
    while " " in whom:
        inner = re.search(r"^(?P<a>\w+)'s (?P<b>\w+)|the (?P<d>\w+) of (?P<c>\w+)$", whom)
        link = inner and f"{inner['a'] or inner['c']} {inner['b'] or inner['d']}"
        if inner is None or link not in parent_of:
            raise DataError(f"problem text: nothing is stated about {whom!r}")
        whom = whom[: inner.start()] + parent_of[link] + whom[inner.end() :]
    if whom not in PEOPLE:
        raise DataError("problem text: no question about a person")
    return whom

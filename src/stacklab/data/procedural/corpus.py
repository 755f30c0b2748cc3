"""The corpus `procedural-cot`: conversations made from a seed, with a known number of hops and a checkable answer.

system     Think first. Then give the answer.
user       The pink box points to red. The note in blue says pink. ... where are you after two steps?
assistant  <think>
           blue leads to pink.
           pink leads to red.
           </think>
           The answer is red.
"""

import re
from collections.abc import Iterator
from typing import Any

from stacklab.base.errors import DataError
from stacklab.base.streams import stream_seed
from stacklab.data.procedural import arithmetic, kinship, ordering, pointers, state
from stacklab.data.procedural.draw import Draw
from stacklab.data.procedural.problem import Family, RenderedProblem
from stacklab.data.procedural.spec import FamilyName, ProceduralSpec

FAMILIES: dict[FamilyName, Family] = {
    "arithmetic": arithmetic,
    "ordering": ordering,
    "kinship": kinship,
    "pointers": pointers,
    "state": state,
}


SYSTEM_PROMPTS = (
    "Think first. Then give the answer.",
    "Solve the puzzle and show each step.",
    "Work out the answer one step at a time.",
    "You are a careful solver. Think in steps, then answer.",
    "You are a helpful assistant. Reason before you answer.",
)
ANSWERS = ("Answer: {answer}.", "The answer is {answer}.", "So the answer is {answer}.")
_ANSWER = re.compile(r"(?:so )?(?:the )?answer(?: is|:) +([^.]*[^.\s])\s*\.?", re.IGNORECASE)


def generate(spec: ProceduralSpec) -> Iterator[dict[str, Any]]:
    """`spec.records` records `{"messages": [system, user, assistant], "family", "hops", "answer"}`.

    Record i depends on (corpus_seed, i) and on `families` and `hops`, not on `records`: a longer corpus
    begins with the shorter one. Every pair of family and hops comes equally often, give or take one.
    """
    cells = [(family, hops) for family in spec.families for hops in spec.hops]
    for index in range(spec.records):
        block, place = divmod(index, len(cells))
        if place == 0:
            order = Draw(_seed(spec, "order", block)).shuffled(cells)
        family, hops = order[place]
        rng = Draw(_seed(spec, "record", index))
        problem = FAMILIES[family].sample(rng, hops)
        yield {"messages": _messages(rng, problem), "family": family, "hops": hops, "answer": problem.answer}


def solve(user_text: str, family: str) -> str:
    """The answer of the family's solver, which reads the text alone.

    Raises DataError when the family is unknown or the text is not one of its problems.
    """
    for name, rules in FAMILIES.items():
        if name == family:
            return rules.solve(user_text)
    raise DataError(f"procedural-cot: no family {family!r}; expected one of {', '.join(FAMILIES)}")


def extract_answer(assistant_text: str) -> str | None:
    """The answer in the first line after `</think>`, or None when that line is not one answer sentence.

    >>> extract_answer("<think>\\n3 + 4 = 7.\\n</think>\\nThe answer is 7.")
    '7'
    """
    _, closed, after = assistant_text.partition("</think>")
    lines = after.strip().splitlines()
    if not closed or not lines:
        return None
    match = _ANSWER.fullmatch(lines[0].strip())
    return match[1] if match else None


def is_correct(assistant_text: str, answer: str) -> bool:
    """Whether the text closes its thinking and then states `answer`, ignoring case, spaces and the full stop."""
    stated = extract_answer(assistant_text)
    return stated is not None and _plain(stated) == _plain(answer)


def _plain(answer: str) -> str:
    return " ".join(answer.casefold().split()).removesuffix(".").rstrip()


def _messages(rng: Draw, problem: RenderedProblem) -> list[dict[str, str]]:
    steps = "\n".join(problem.steps)
    ending = rng.pick(ANSWERS).format(answer=problem.answer)
    return [
        {"role": "system", "content": rng.pick(SYSTEM_PROMPTS)},
        {"role": "user", "content": problem.question},
        {"role": "assistant", "content": f"<think>\n{steps}\n</think>\n{ending}"},
    ]


def _seed(spec: ProceduralSpec, *address: str | int) -> int:
    return stream_seed(spec.corpus_seed, "corpus", spec.kind, *address)

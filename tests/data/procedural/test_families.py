"""Every family in every wording: the solver, which sees the text alone, agrees with the reference reasoning."""

import re
from collections.abc import Iterator

import pytest

from stacklab.base.errors import DataError
from stacklab.data.procedural import arithmetic, kinship, ordering, pointers, problem, state
from stacklab.data.procedural.corpus import FAMILIES
from stacklab.data.procedural.draw import Draw
from stacklab.data.procedural.problem import RenderedProblem
from stacklab.data.procedural.spec import FAMILY_NAMES, MAX_HOPS, FamilyName

Problems = dict[tuple[FamilyName, int], list[RenderedProblem]]
PER_CELL = 100
HOPS = range(1, MAX_HOPS + 1)


@pytest.fixture(scope="module")
def problems() -> Problems:
    return {
        (family, hops): [rules.sample(Draw(1000 * hops + index), hops) for index in range(PER_CELL)]
        for family, rules in FAMILIES.items()
        for hops in HOPS
    }


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_solver_finds_every_answer(family: FamilyName, problems: Problems) -> None:
    for hops in HOPS:
        for one in problems[family, hops]:
            assert FAMILIES[family].solve(one.question) == one.answer, one


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_reasoning_has_one_step_per_hop_and_hangs_together(family: FamilyName, problems: Problems) -> None:
    for hops in HOPS:
        for one in problems[family, hops]:
            assert len(one.steps) == hops
            assert all(step.endswith(".") and step.count(".") == 1 for step in one.steps)
            results = [re.findall(r"\w+", step)[-1] for step in one.steps]
            assert results[-1] == one.answer
            for result, following in zip(results, one.steps[1:], strict=False):
                assert re.search(rf"\b{result}\b", following), one


def test_arithmetic_steps_are_true_and_bounded(problems: Problems) -> None:
    for hops in HOPS:
        for one in problems["arithmetic", hops]:
            for step in one.steps:
                a, sign, b, result = re.fullmatch(r"(?:Now )?(\d+) ([-+*]) (\d+) = (\d+)\.", step).groups()  # type: ignore[union-attr]
                true = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[sign]
                assert int(result) == true
                assert 0 <= true <= arithmetic.LARGEST


def test_counting_from_the_other_end_is_never_shorter() -> None:
    for hops in HOPS:
        for seed in range(PER_CELL):
            line = ordering.draw_line(Draw(seed), hops)
            assert len(line.people) + 1 - line.place >= line.place == hops


def test_the_last_event_does_not_tell_the_answer(problems: Problems) -> None:
    every = [one for hops in HOPS for one in problems["state", hops]]
    holders = {one.answer for one in every}
    told = sum(
        [word for word in re.findall(r"\w+", one.question) if word in holders][-1] == one.answer for one in every
    )
    assert told / len(every) < 0.3  # one in four by chance


def _templates() -> Iterator[tuple[FamilyName, str]]:
    for family in FAMILY_NAMES:
        for layout in problem.LAYOUTS:
            yield family, layout
    for wording in arithmetic.WORDINGS:
        for sentences in (wording.start, *wording.change.values(), wording.ask):
            yield from (("arithmetic", sentence) for sentence in sentences)
    yield from (("ordering", sentence) for sentence in (*ordering.COMPARE, *ordering.ASK))
    yield from (("kinship", sentence) for sentence in (*kinship.FACTS, *kinship.ASK, *kinship.GRANDPARENTS.values()))
    for walk in pointers.WORDINGS:
        yield from (("pointers", sentence) for sentence in (*walk.fact, *walk.ask))
    for story in state.WORDINGS:
        yield from (("state", sentence) for sentence in (*story.start, *story.event, *story.ask))


def test_every_wording_is_used(problems: Problems) -> None:
    texts = {family: [one.question for hops in HOPS for one in problems[family, hops]] for family in FAMILY_NAMES}
    for family, template in _templates():
        pattern = re.compile(r".+".join(re.escape(part) for part in re.split(r"\{\w+\}", template)))
        assert any(pattern.search(text) for text in texts[family]), (family, template)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_worked_example_of_the_docstring_is_right(family: FamilyName) -> None:
    """`user`, one `hop` line each and `answer` in the head of the family's module."""
    head = getattr(FAMILIES[family], "__doc__", None) or ""
    user, rest = re.split(r"\n +hop 1 +", head.split("user ")[1], maxsplit=1)
    steps = [re.split(r" {3,}", line)[0].strip() for line in re.split(r"\n +hop \d +|\n +answer +", rest)]
    answer = steps.pop().split()[0]
    assert FAMILIES[family].solve(" ".join(user.split())) == answer
    assert len(steps) == 2
    assert re.findall(r"\w+", steps[-1])[-1] == answer


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("arithmetic", "Ana has 4 coins. Ana hides 2. How many coins does Ana have at the end?"),
        ("arithmetic", "Ana has 4 coins. Ana finds 2 more."),
        ("arithmetic", "Ana finds 2 more. How many coins does Ana have at the end?"),
        ("ordering", "Ana is taller than Ben. Ida is taller than Ben. Who is the tallest?"),
        ("ordering", "Ana is taller than Ben. Who is the ninth tallest?"),
        ("ordering", "Ana is taller than Ben. Who is the oldest?"),
        ("kinship", "Ana is the mother of Ben. Who is Ben's father?"),
        ("kinship", "Ana is the mother of Ben."),
        ("pointers", "The red box points to blue. Starting at red, where are you after two steps?"),
        ("pointers", "The red box points to blue."),
        ("state", "Ana has the key. Ana and Ben swap. Who has the hat at the end?"),
        ("state", "Ana has the key. Who has the key at the end"),
    ],
)
def test_solver_refuses_what_it_cannot_answer(family: FamilyName, text: str) -> None:
    with pytest.raises(DataError):
        FAMILIES[family].solve(text)

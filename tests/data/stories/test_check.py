"""The checker finds nothing in generated stories, and finds what is planted in them."""

import re
from collections import Counter
from collections.abc import Callable, Collection

import pytest

from stacklab.data.stories.check.story import faults
from stacklab.data.stories.corpus import PLOTS, Story, story
from stacklab.data.stories.words import FIXTURES, PLACES

MIA = "Once upon a time there was a little girl named Mia. "
BALL = MIA + "She had a red ball. She went to the park. "


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    return [story(3, index) for index in range(1500)]


def test_generated_stories_have_no_fault(stories: list[Story]) -> None:
    assert Counter(one.plot for one in stories).keys() == PLOTS.keys()
    assert [(one.text, found) for one in stories if (found := faults(one.text))] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (MIA + "He had a red ball.", "'he' is nobody"),
        (MIA + "There she met Tom.", "Tom is never introduced"),
        ("Once there was a little girl named Tom.", "Tom is no name of a girl"),
        (MIA + "Mia was a shy duck.", "Mia is a girl and a duck"),
        (MIA + "Then the duck came.", "there is no duck"),
        (MIA + "Lucy, a shy girl, came by. She laughed and she sang.", None),
        (MIA + "Mia met a shy girl named Lucy. Her hat was red.", "'she' may be Lucy or Mia"),
        (MIA + "They sang.", "'they' with nobody else"),
        (BALL + "The blue ball was old.", "the red ball is blue"),
        (BALL + "The hat was gone.", "the hat comes from nowhere"),
        (BALL + "She looked under the bed.", "the bed is at home, the story at park"),
        (BALL + "The ball fell under the slide. Then she looked behind the bench. Mia found the ball behind the bench.",
         "the ball is with under the slide"),
        (BALL + "The ball fell under the slide. She went home.", "the ball is never found"),
        (BALL + "The ball fell under the slide. Mia played with the ball.", "the ball is with under the slide"),
        (BALL + "Ben, a shy boy, came by. Ben gave the ball to Mia.", "the ball is with Mia, but Ben has it"),
        (BALL + "Ben, a shy boy, came by. Mia went home. Ben laughed.", "Ben is at park, the story at home"),
        (BALL + "Mia learned that it is good to share.", "nothing in the story leads to the moral"),
        (MIA + "From then on, Mia was no longer scared of the dark.", "nobody was afraid of the dark"),
        (MIA + '"Hello, Mia!" said Mia.', "Mia speaks to Mia"),
        (MIA + '"Hello! said Mia.', "a quotation is not closed"),
        (MIA + "She had", "the last sentence does not end"),
        ("kfj the the qq.", "nobody is named"),
    ],
)  # fmt: skip
def test_each_fault_is_named(text: str, fault: str | None) -> None:
    found = faults(text)
    assert found == [] if fault is None else any(fault in one for one in found), found


def swapped_gender(text: str) -> str:
    other = {"she": "he", "he": "she", "her": "his", "his": "her", "him": "her"}
    return re.sub(r"\b(she|he|her|his|him)\b", lambda word: other[word[0].lower()].capitalize()
                  if word[0][0].isupper() else other[word[0]], text, flags=re.IGNORECASE)  # fmt: skip


def other_place(text: str) -> str:
    """Every place a hero goes to becomes another one; the fixtures there stay."""
    swap = dict(zip(PLACES, [*PLACES[1:], PLACES[0]], strict=True))
    return re.sub(rf"to the ({'|'.join(PLACES)})\b", lambda word: f"to the {swap[word[1]]}", text)


def other_spot(text: str) -> str:
    """The last hiding place is another one of the same place."""
    for fixtures in FIXTURES.values():
        spots = list(re.finditer(rf"the ({'|'.join(fixtures)})\b", text))
        if spots:
            last = spots[-1]
            other = next(fixture for fixture in fixtures if fixture != last[1] and fixture not in text)
            text = text[: last.start(1)] + other + text[last.end(1) :]
    return text


def without_introduction(text: str) -> str:
    """The second character's kind is never told."""
    names = re.findall(r"an? [a-z]+ [a-z]+ (?:named|called) ([A-Z][a-z]+)", text)
    return re.sub(rf"an? [a-z]+ [a-z]+ (?:named|called) {names[-1]}", names[-1], text) if len(names) > 1 else text


def stolen(text: str) -> str:
    """Giver and taker change places."""
    return re.sub(r"([A-Z][a-z]+) gave (the \w+) to ([A-Z][a-z]+)", r"\3 gave \2 to \1", text, count=1)


def cut_off(text: str) -> str:
    return text[: len(text) * 2 // 3].rstrip('.!?" ')


@pytest.mark.parametrize(
    ("mutate", "plots", "share"),
    [
        (swapped_gender, PLOTS, 0.98),
        (other_place, ("lost", "rescue", "quarrel"), 0.98),
        (other_spot, ("lost",), 0.98),
        (without_introduction, PLOTS, 0.98),
        (stolen, ("trade", "quarrel", "found"), 0.98),
        (cut_off, PLOTS, 0.98),
    ],
)
def test_planted_mutations_are_found(
    mutate: Callable[[str], str], plots: Collection[str], share: float, stories: list[Story]
) -> None:
    changed = [(mutate(one.text), one.text) for one in stories if one.plot in plots]
    changed = [(new, old) for new, old in changed if new != old]
    assert len(changed) > 60
    missed = [new for new, _ in changed if not faults(new)]
    assert len(missed) / len(changed) <= 1 - share, (len(missed), len(changed), missed[:2])


def test_a_story_whose_sentences_are_shuffled_has_faults(stories: list[Story]) -> None:
    backwards = [" ".join(reversed(re.split(r"(?<=[.!?])\s+", one.text))) for one in stories[:300]]
    assert sum(bool(faults(text)) for text in backwards) > 260

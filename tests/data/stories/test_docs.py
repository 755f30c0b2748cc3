"""docs/stories.md quotes a story and what was counted in 4,000; both are checked against the code."""

import math
import re
from pathlib import Path

import pytest
import yaml

from stacklab.data.pipeline.reading import Sieve
from stacklab.data.pipeline.splits import HashRule
from stacklab.data.record import Record
from stacklab.data.stories.corpus import PLOTS, Story, generate
from stacklab.data.stories.spec import StoriesSpec
from stacklab.data.text_statistics import entropy_bits, nearest_shares, text_statistics

PAGE = (Path(__file__).parents[3] / "docs" / "stories.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    return list(generate(StoriesSpec(records=4000)))


def test_the_story_of_the_page_is_the_first(stories: list[Story]) -> None:
    assert f"```\n{stories[0].text}\n```" in PAGE


def test_counts_of_the_corpus(stories: list[Story]) -> None:
    told = text_statistics([one.text for one in stories])
    assert told.duplicates == 0
    entropy = entropy_bits(one.plot for one in stories)
    for sentence in (
        f"4,000 stories hold {told.words:,} words of {told.vocabulary:,} different ones, "
        f"{told.words / told.texts:.0f} a story ({told.fewest_words} to {told.most_words}), "
        f"{1000 * told.type_token_ratio:.2f} different words per thousand.",
        f"{told.share_distinct_ngrams:.1%} of all 8-grams are different from each other; "
        f"the plots' entropy is {entropy:.3f} bits of {math.log2(len(PLOTS)):.3f}.",
    ):
        assert sentence in PAGE, sentence


def test_nearness_of_the_two_sides(stories: list[Story]) -> None:
    sides: dict[str, list[str]] = {"train": [], "validation": []}
    for side, record in Sieve().sift(
        (Record(text=one.text, group=one.skeleton) for one in stories), HashRule(0.1, 0.0, 0)
    ):
        sides[side].append(record.text)
    shares = sorted(nearest_shares(sides["validation"], sides["train"]))
    groups = len({one.skeleton for one in stories})
    sentence = (
        f"There are {groups:,} groups. With a tenth held out, the nearest training story "
        f"holds {shares[len(shares) // 2]:.1%} of a validation story's 8-grams (median), at most {shares[-1]:.1%}."
    )
    assert sentence in PAGE, sentence


def test_counts_of_each_plot(stories: list[Story]) -> None:
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| (\d+) \| (\d+) \| ([\d.]+%) \|$", PAGE, re.MULTILINE)
    expected = []
    for plot in PLOTS:
        own = [one.text for one in stories if one.plot == plot]
        told = text_statistics(own)
        expected.append((plot, f"{len(own)}", f"{told.words / len(own):.0f}", f"{told.share_distinct_ngrams:.1%}"))
    assert rows == expected


def test_code_on_the_page_works() -> None:
    (setting,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert StoriesSpec.model_validate(yaml.safe_load(setting)) == StoriesSpec()
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(program, {})

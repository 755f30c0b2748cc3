"""The corpus `generated-stories`: short stories generated from a seed, in the vocabulary of a child of four."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stacklab.base.streams import stream_seed
from stacklab.data.procedural.draw import Draw
from stacklab.data.stories.plots import giving, home, losing, meeting, trying
from stacklab.data.stories.spec import StoriesSpec
from stacklab.data.stories.stage import Stage

Plot = Callable[[Stage], str]
"""Tells a story on an empty stage; returns what it is about: a thing, a skill, a fear, a rule."""

PLOTS: dict[str, Plot] = {
    "lost": losing.lost,
    "found": losing.found,
    "wish": trying.wish,
    "fear": trying.fear,
    "race": trying.race,
    "quarrel": giving.quarrel,
    "share": giving.share,
    "trade": giving.trade,
    "rule": home.rule,
    "surprise": home.surprise,
    "friend": meeting.friend,
    "rescue": meeting.rescue,
    "build": meeting.build,
}


@dataclass(frozen=True, slots=True)
class Story:
    """`skeleton` is what stories that differ only in names and wording have in common."""

    text: str
    plot: str
    skeleton: str


def generate(spec: StoriesSpec) -> Iterator[Story]:
    """`spec.records` stories. Story i depends on (corpus_seed, i) alone, not on `records`."""
    for index in range(spec.records):
        yield story(spec.corpus_seed, index)


def story(corpus_seed: int, index: int) -> Story:
    """Story `index` of the corpus of that seed."""
    rng = Draw(stream_seed(corpus_seed, "corpus", StoriesSpec().kind, index))
    plot = rng.pick(tuple(PLOTS))
    stage = Stage(rng)
    about = PLOTS[plot](stage)
    return Story(stage.text, plot, f"{plot}: {stage.a.kind}, {stage.b.kind}, {about}")

"""A race between one who is proud and one who is not."""

from stacklab.data.stories.events import FIRST, close, go, meet, open_story
from stacklab.data.stories.stage import Stage
from stacklab.data.stories.words import FIXTURES, PLACES

BOASTS = (
    '"I am the fastest of all!" said {b}. "I can beat you, {a.name}."',
    '{b} laughed and said, "You are so slow, {a.name}!"',
    '"let us race to the {goal}," said {b}. "I will win!"',
    '"nobody runs as fast as I do," said {b}.',
)
ACCEPTS = (
    '"let us see," said {a}. "We will race to the {goal}."',
    '"one, two, three, go!" called {a}. They raced off to win.',
    'they stood side by side for the race. "Go!" shouted {a}.',
    '{a} smiled and said, "I will do my best in this race."',
)
LEADS = (
    "{b} was far ahead and did not look back.",
    "{b} was much faster than {a}.",
    "soon {b} was in front, and {a} was far behind.",
)
NAPS = (
    "{b} thought there was time for a nap and fell asleep {spot}.",
    "{b} stopped to eat berries and forgot the race.",
    "{b} stopped to chase a butterfly.",
    "{b} lay down in the grass and closed both eyes.",
)
WINS = (
    "{a} kept going, step by step, and got to the {goal} first.",
    "{a} never stopped. {a} touched the {goal} and won!",
    "step by step {a} passed {b} and won the race.",
)
SORRY = (
    '"I am sorry that I was so proud," said {b}. "You won."',
    '"you were better than me," said {b}. "I will never laugh at you again."',
    '{b} said, "I was silly. Well done, {a.name}!"',
)
TRIPS = (
    "then {b} tripped over a root and fell.",
    "all at once {b} slipped in the mud.",
    'suddenly {b} cried, "Ouch! My foot!"',
)
HELPS = (
    "{a} could win now. But {a.he} stopped to help {b}.",
    "{a} did not run on. {a} helped {b} to stand up.",
    '"take my arm," said {a}. "A friend is more than a race."',
)
BOTH = (
    "they walked to the {goal} side by side, and both of them won.",
    "together they reached the {goal}. Nobody was first and nobody was last.",
    '"you helped me," said {b}. "You are the real winner!"',
)
RACE_LESSONS = ("slow and steady can win", "it is not good to be too proud", "{a.he} can win by not giving up")
HELP_LESSONS = ("it is better to help than to win", "a friend is more than a race", "kind hearts always win")


def race(stage: Stage) -> str:
    place = stage.rng.pick(PLACES)
    goal, nap = stage.rng.some(FIXTURES[place], 2)
    words = {"goal": goal, "spot": f"near the {nap}"}
    open_story(stage)
    stage.paragraph()
    go(stage, place, "a", leads=FIRST)
    meet(stage)
    stage.tell(BOASTS, **words)
    stage.tell(ACCEPTS, **words)
    stage.tell(LEADS)
    helps = stage.rng.whole(0, 1) == 1
    stage.tell(TRIPS if helps else NAPS, **words)
    stage.tell(HELPS if helps else WINS, **words)
    stage.tell(BOTH if helps else SORRY, **words)
    stage.paragraph()
    close(stage, HELP_LESSONS if helps else RACE_LESSONS)
    return goal

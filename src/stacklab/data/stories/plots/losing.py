"""Something is lost and found again; something found belongs to someone else."""

from stacklab.data.stories.events import (
    ASKS,
    FIRST,
    NEXT_DAY,
    SAD,
    THANKS,
    close,
    go,
    meet,
    open_story,
    own,
)
from stacklab.data.stories.stage import Stage
from stacklab.data.stories.words import HOME, PLACES

CARRIES = (
    "{a.he} took {x} along.",
    "{a.he} carried {x} in {a.his} bag.",
    "of course {a.he} took {x} with {a.him}.",
    "{a.he} held {x} all the way.",
)
DROPS = (
    "but {x} fell {spot}, and nobody saw it.",
    "{a} tripped and dropped {x} {spot}.",
    "a strong wind came, and {x} landed {spot}.",
    "{a.he} put {x} {spot} and forgot about it.",
    "while {a} was looking at a bird, {x} slipped {spot}.",
    "{a.he} ran and jumped, and {x} dropped {spot}.",
)
MISSES = (
    "when {a} wanted to play with {x}, it was gone.",
    '"oh no! Where is my {x.noun}?" cried {a}.',
    "later {a} saw that {x} was gone.",
    '{a} looked all around. "My {x.noun} is gone!"',
    "then {a.he} looked into {a.his} bag, and {x} was not there.",
)
TELLS = (
    '"I lost my {x.noun}," said {a}.',
    '{a} said, "I can not find my {x.full}."',
    '"my {x.noun} is lost," said {a} in a small voice.',
    '"I had {x.a}, and now it is gone," said {a}.',
)
OFFERS = (
    '"I will help you," said {b}. "Let us look for it."',
    '"do not worry," said {b}. "We will find it!"',
    '"let us look together," said {b}.',
    '{b} smiled at {a} and said, "I have good eyes. I can help."',
)
SEARCHES = (
    "they looked {spot}, but there was only {nothing}.",
    "first {b} looked {spot}. There was only {nothing}.",
    "{a} looked {spot} and saw {nothing}, but no {x.noun}.",
    "{b} searched {spot} and found just {nothing}.",
)
NOTHINGS = (
    "an old shoe", "a sleepy snail", "some dry leaves", "a red bug", "a bit of paper", "a green worm", "some mud",
    "a busy ant", "a broken stick", "a lot of dust", "a spider", "a gray pebble",
)  # fmt: skip
FINDS = (
    'then {b} looked {spot}. "I see it!" {b} found {x} and gave it to {a}.',
    "at last {b} looked {spot}. There was {x}! {b} picked up {x} and gave it to {a}.",
    '"look!" said {b}. {x} was {spot}. {b} picked up {x} and handed it to {a}.',
    'after a while {b} shouted, "Here it is!" {b} found {x} {spot} and gave it to {a}.',
)
LOST_LESSONS = (
    "it is good to have help when something is lost",
    "a lost thing can be found when friends look together",
    "{a.he} must take good care of {a.his} things",
    "it helps to look and look again",
)


def lost(stage: Stage) -> str:
    x = stage.thing("x")
    place = stage.rng.pick(PLACES)
    right, wrong = stage.spots(place, 2)
    open_story(stage)
    own(stage, x)
    stage.paragraph()
    go(stage, place, "a", leads=FIRST)
    stage.tell(CARRIES)
    stage.world.drop(stage.a, x, right)
    stage.tell(DROPS, spot=right.phrase)
    stage.tell(MISSES)
    stage.maybe(SAD)
    meet(stage)
    stage.tell(ASKS)
    stage.tell(TELLS)
    stage.tell(OFFERS)
    assert not stage.world.search(stage.b, wrong)
    stage.tell(SEARCHES, spot=wrong.phrase, nothing=stage.rng.pick(NOTHINGS))
    stage.world.take(stage.b, x)
    stage.world.give(stage.b, x, stage.a)
    stage.tell(FINDS, spot=right.phrase)
    stage.tell(THANKS)
    stage.paragraph()
    close(stage, LOST_LESSONS)
    return x.noun


SEES = (
    "{a.he} looked {spot} and saw {x.a}.",
    "{x.a} was {spot}.",
    "{a.he} saw something {spot}. It was {x.a}!",
    "there was {x.a} {spot}.",
)
WANTS = (
    '"what a nice {x.noun}! I want to keep it," said {a}.',
    '"nobody is here," said {a}. "Now it is my {x.noun}."',
    '{a.he} said, "I like this {x.noun}. I will take it home."',
    '"wow!" said {a}. "Whose {x.noun} is this?"',
)
PICKS = ("{a} picked up {x}.", "{a.he} picked up {x} and played with it.", "so {a} took {x}.", "{a.he} picked {x} up.")
CRIES = (
    "there {a.he} saw {b.intro}, who was crying.",
    "there {a.he} heard someone cry. It was {b.intro}.",
    "{b.intro} sat there and cried.",
    "there {a.he} met {b.intro}. {b} looked very sad.",
)
ASKS_BACK = (
    '"what is wrong?" asked {a}.',
    '"why are you so sad?" asked {a}.',
    '{a} asked, "Can I help you?"',
    '"do not cry," said {a}. "What is the matter?"',
)
LOSER = (
    '"I lost my {x.noun} {spot}," said {b}.',
    '"have you seen {x.a}?" asked {b}. "It is mine."',
    '{b} said, "I can not find my {x.full}. I looked all day."',
    '"my {x.noun} is gone," said {b}. "It was a gift from my grandma."',
)
THINKS = (
    "{a} wanted to keep {x}, but {a.he} did not want {b} to be sad.",
    "{a} thought for a long time. Then {a.he} knew what was right.",
    "{a} felt bad. {x} was not a thing to keep.",
    "{a} looked at {x} and then at {b}.",
)
RETURNS = (
    '"here is your {x.noun}," said {a} and gave {x} to {b}.',
    '{a} gave {x} to {b} and said, "I found it. It is yours."',
    'so {a} handed {x} to {b}. "I am sorry that I kept it," said {a}.',
    'then {a} gave {b} {x}. "This is yours," said {a}.',
)
RELIEF = (
    '"you are so kind!" said {b}. "Do you want to play with me?"',
    '{b} smiled at last. "Thank you, {a.name}! Will you be my friend?"',
    '"thank you for telling me the truth," said {b}. "Let us play!"',
    '{b} hugged {a}. "Now I am happy again," said {b}.',
)
HONEST_LESSONS = (
    "it is right to give back what belongs to someone else",
    "to give back a thing can bring a new friend",
    "it feels good to tell the truth",
    "a friend is better than a toy",
)


def found(stage: Stage) -> str:
    x = stage.thing("x")
    place, later = stage.rng.some(PLACES, 2)
    spot = stage.spots(place, 1)[0]
    stage.world.lay(x, spot)
    open_story(stage)
    stage.paragraph()
    go(stage, place, "a", leads=FIRST)
    stage.tell(SEES, spot=spot.phrase)
    stage.tell(WANTS)
    stage.world.take(stage.a, x)
    stage.tell(PICKS)
    go(stage, HOME, "a")
    go(stage, later, "a", leads=NEXT_DAY)
    stage.world.go(stage.b, later)
    stage.tell(CRIES)
    stage.tell(ASKS_BACK)
    stage.tell(LOSER, spot=spot.phrase)
    stage.tell(THINKS)
    stage.world.give(stage.a, x, stage.b)
    stage.tell(RETURNS)
    stage.tell(RELIEF)
    stage.paragraph()
    close(stage, HONEST_LESSONS)
    return x.noun

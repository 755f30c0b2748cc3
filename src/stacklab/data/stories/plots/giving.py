"""A quarrel and making up; sharing; a trade."""

from stacklab.data.stories.events import FIRST, NEXT_DAY, SAD, close, go, meet, open_story, own
from stacklab.data.stories.stage import Stage
from stacklab.data.stories.words import FOODS, HOME, PLACES, TASTES

BOTH_SEE = (
    "they saw {x.a} {spot}.",
    "{x.a} was {spot}, and both of them saw it.",
    '"look!" said {b}. {x.a} was {spot}.',
    "there was {x.a} {spot}.",
)
BOTH_WANT = (
    '"I saw it first!" said {a}. "No, I did!" said {b}.',
    '"it is mine!" shouted {a}. "No, mine!" shouted {b}.',
    '"I want the {x.noun}," said {a}. "No, I want it!" said {b}.',
    "{a} wanted {x}. {b} wanted {x} too.",
)
PULLS = (
    "{a} picked up {x}. {b} pulled at it and would not let go.",
    "{a} picked up {x} and ran away with it, and {b} ran after.",
    "{a} picked up {x} and would not let {b} play with it.",
    "{a} took {x}, and {b} stamped both feet.",
)
ANGRY = (
    '"you are not my friend any more!" shouted {b}.',
    "{b} was very angry and turned away.",
    '"go away!" cried {b}. Both of them were angry.',
    "{b} yelled, and {a} yelled back.",
)
ALONE = (
    "{a} sat down all alone. Playing alone was no fun.",
    "{a} played with {x} alone, but it was not fun at all.",
    "now {a} had {x}, but {a.he} had no friend.",
    "it got very quiet. {a} looked at {x} and felt sad.",
)
MAKES_UP = (
    '"I am sorry," said {a} and gave {x} to {b}. "You can play first."',
    '{a} went over and gave {x} to {b}. "I was mean. I am sorry," said {a}.',
    '{a} said, "I am sorry, {b.name}. I do not want to fight." And {a} gave {x} to {b}.',
    'so {a} handed {x} to {b}. "Please do not be angry. I am sorry," said {a}.',
)
ACCEPTS = (
    '"I am sorry too," said {b}. "Let us take turns."',
    '{b} smiled. "I am sorry that I yelled," said {b}. "We can play together."',
    '"it is okay," said {b}. "We can both play with it."',
    '{b} hugged {a} and said, "Let us be friends again."',
)
QUARREL_LESSONS = (
    "saying sorry can mend a fight",
    "it is more fun to take turns",
    "a friend is worth more than a toy",
    "it is brave to say sorry first",
)


def quarrel(stage: Stage) -> str:
    x = stage.thing("x")
    place = stage.rng.pick(PLACES)
    spot = stage.spots(place, 1)[0]
    stage.world.lay(x, spot)
    open_story(stage)
    stage.paragraph()
    go(stage, place, "a", leads=FIRST)
    meet(stage)
    stage.tell(BOTH_SEE, spot=spot.phrase)
    stage.tell(BOTH_WANT)
    stage.world.take(stage.a, x)
    stage.tell(PULLS)
    stage.tell(ANGRY)
    stage.tell(ALONE)
    stage.maybe(SAD)
    stage.world.give(stage.a, x, stage.b)
    stage.tell(MAKES_UP)
    stage.tell(ACCEPTS)
    stage.paragraph()
    close(stage, QUARREL_LESSONS)
    return x.noun


HAS_FOOD = (
    "{a.he} had {x.a} for lunch.",
    "{m} gave {a} {x.a} to eat.",
    "{a.he} had {x.a}, and it smelled so good.",
    "in {a.his} bag {a.he} had {x.a}.",
)
HUNGRY = (
    "{b} had nothing to eat and was hungry.",
    '"I am so hungry," said {b}. "I have no food."',
    "{b} looked at {x}. {b.his} tummy made a loud sound.",
    '"that looks good," said {b} in a small voice. "I forgot my lunch."',
)
WONDERS = (
    "{a} wanted to eat all of it. But then {a.he} looked at {b}.",
    "{a} thought for a moment. It was only one {x.noun}.",
    '"it is my {x.noun}," thought {a}. But {b} looked so sad.',
    "{a} was hungry too, but {a.he} wanted to be kind.",
)
SHARES = (
    '{a} cut {x} in two and shared it with {b}. "Half for you, half for me," said {a}.',
    '{a} shared {x} with {b}. "There is enough for both of us," said {a}.',
    'so {a} broke {x} into two parts and shared it with {b}. "Here you are," said {a}.',
    '"we can share it," said {a}. {a} shared {x} with {b}, and they ate it all up.',
)
RETURNED = (
    '{b} had {y.a}. "Yesterday you shared with me. Today I share with you," said {b}.',
    '{b} came with {y.a} and said, "This is for both of us!"',
    "{b} had {y.a} and gave half of it to {a}.",
    '"look what I have," said {b}. {b} had {y.a}, and they shared it.',
)
SHARE_LESSONS = (
    "sharing makes everything taste better",
    "to share is to be a good friend",
    "those who share are never alone",
    "it feels good to share",
)


def share(stage: Stage) -> str:
    x = stage.thing("x", FOODS, TASTES)
    stage.thing("y", FOODS, TASTES)
    place, later = stage.rng.some(PLACES, 2)
    stage.world.own(stage.a, x)
    open_story(stage)
    stage.paragraph()
    stage.tell(HAS_FOOD)
    go(stage, place, "a", leads=FIRST)
    meet(stage)
    stage.tell(HUNGRY)
    stage.tell(WONDERS)
    stage.world.together(stage.a, stage.b)
    stage.tell(SHARES)
    stage.tell(THANKS_BACK)
    if stage.rng.whole(0, 1):
        go(stage, later, "a", "b", leads=NEXT_DAY)
        stage.tell(RETURNED)
    stage.paragraph()
    close(stage, SHARE_LESSONS)
    return x.noun


THANKS_BACK = (
    '"thank you, {a.name}," said {b}. "You are very kind."',
    '"yum!" said {b}. "Thank you so much!"',
    '{b} ate and smiled. "Thank you," said {b}.',
    '"this is the best {x.noun} ever," said {b}.',
)
HAS_OTHER = (
    "{b} had {y.a}.",
    "{b} had {y.a} to play with.",
    "{b} was playing alone. {b} had {y.a}.",
    "{b} had {y.a} and showed it to {a}.",
)
LIKES = (
    '"I like your {y.noun}," said {a}. "And I like your {x.noun}," said {b}.',
    '"your {y.noun} is so nice!" said {a}. {b} looked at {x} and said the same.',
    "{a} looked at {y} for a long time, and {b} looked at {x}.",
    '"my {x.noun} is no fun any more," said {a}. "I am tired of my {y.noun} too," said {b}.',
)
PROPOSES = (
    '"do you want to trade?" asked {b}.',
    '"let us trade for a day," said {a}.',
    '{a} had an idea. "We could trade," said {a}.',
    '"I give you mine and you give me yours," said {b}. "It is a trade!"',
)
TRADES = (
    "{a} gave {x} to {b}, and {b} gave {y} to {a}.",
    "so {a} handed {x} to {b}. Then {b} handed {y} to {a}.",
    "first {b} gave {y} to {a}. Then {a} gave {x} to {b}.",
)
PLAYS = (
    "{a} played with {y}, and {b} played with {x}.",
    "all day {a} played with {y}. It felt like new.",
    "{b} played with {x} and laughed. {a} played with {y} and laughed too.",
)
MISSES = (
    "but at night {a} missed {x}.",
    "but {a} could not sleep and thought of {x}.",
    '"I miss my {x.noun}," thought {a}.',
)
TRADES_BACK = (
    'then {b} gave {x} to {a}, and {a} gave {y} to {b}. "Old toys are nice too," said {a}.',
    'so {a} gave {y} to {b}. "And here is your {x.noun}," said {b} and gave {x} to {a}.',
)
TRADE_LESSONS = (
    "a fair trade makes two people happy",
    "it is fun to let a friend play with {a.his} toys",
    "things are more fun with a friend",
)


def trade(stage: Stage) -> str:
    x, y = stage.thing("x"), stage.thing("y")
    place = stage.rng.pick(PLACES)
    open_story(stage)
    own(stage, x)
    stage.paragraph()
    go(stage, place, "a", leads=FIRST)
    meet(stage)
    stage.world.own(stage.b, y)
    stage.tell(HAS_OTHER)
    stage.tell(LIKES)
    stage.tell(PROPOSES)
    stage.world.give(stage.a, x, stage.b)
    stage.world.give(stage.b, y, stage.a)
    stage.tell(TRADES)
    stage.tell(PLAYS)
    if stage.rng.whole(0, 1):
        go(stage, HOME, "a")
        stage.tell(MISSES)
        go(stage, place, "a", "b", leads=NEXT_DAY)
        stage.world.give(stage.b, x, stage.a)
        stage.world.give(stage.a, y, stage.b)
        stage.tell(TRADES_BACK)
    stage.paragraph()
    close(stage, TRADE_LESSONS)
    return f"{x.noun} and {y.noun}"

"""A new friend; a small animal that wants its mother; something that is built again."""

from dataclasses import dataclass

from stacklab.data.stories.events import FIRST, SAD, THANKS, close, go, meet, open_story
from stacklab.data.stories.stage import Stage
from stacklab.data.stories.words import BABIES, BABY_LOOKS, PLACES

GAMES = (
    "tag", "hide and seek", "hopscotch", "pirates", "school", "catch", "shop", "house", "follow the leader", "doctors",
    "kings and queens", "circus", "teacher", "trains", "monsters", "a guessing game", "a clapping game", "explorers",
)  # fmt: skip
NO_FRIENDS = (
    "but {a} had nobody to play with.",
    "{a} was new in town and had no friends.",
    "but {a.he} was often lonely.",
    "{a} wished for a friend.",
)
WATCHES = (
    "{a} wanted to say hello, but no words came out.",
    "{a} stood still and only watched.",
    '"what if {b.name} does not like me?" thought {a}.',
    "{a} looked at {b} and then at the ground.",
)
INVITES = (
    '"hello!" said {b}. "Do you want to play {game}?"',
    '{b} said, "Hi! I need someone for a game of {game}."',
    '"I am {b.name}. I like to play {game}. And you?" asked {b}.',
)
SHY_ASKS = (
    'then {a} was brave and said, "Can I play {game} with you?"',
    '{a} took a small step. "Do you like {game}?" asked {a}.',
    '"hi, I am {a.name}," said {a}. "I know a game. It is {game}."',
)
AGREES = (
    '"yes, let us play!" said {other}.',
    '"oh yes, I would love that," said {other}.',
    "{other} nodded and laughed.",
    '"that is my favorite!" said {other}.',
)
PLAYING = (
    "they played {game}, and it was so much fun.",
    "they played {game} for a long, long time.",
    "first they played {game}. Then they lay in the grass and talked.",
    "they played {game} and laughed until their tummies hurt.",
)
PARTING = (
    '"can we play again?" asked {b}. "Yes!" said {a}.',
    '"you are my friend now," said {b}.',
    '"I have a friend!" thought {a}.',
    '"see you soon, {a.name}!" said {b}.',
)
FRIEND_LESSONS = (
    "a friend can start with one hello",
    "it is good to be kind to someone new",
    "it takes only one small word to make a friend",
    "being shy is okay",
)


def friend(stage: Stage) -> str:
    game = stage.rng.pick(GAMES)
    open_story(stage)
    stage.tell(NO_FRIENDS)
    stage.paragraph()
    go(stage, stage.rng.pick(PLACES), "a", leads=FIRST)
    meet_stranger(stage)
    stage.tell(WATCHES)
    hero_asks = stage.rng.whole(0, 1) == 1
    stage.tell(SHY_ASKS if hero_asks else INVITES, game=game)
    answer = "{b}" if hero_asks else "{a}"
    stage.tell([form.replace("{other}", answer) for form in AGREES])
    stage.tell(PLAYING, game=game)
    stage.tell(PARTING)
    stage.paragraph()
    close(stage, FRIEND_LESSONS)
    return game


STRANGERS = (
    "there {a.he} saw {b.intro}.",
    "{b.intro} was playing there.",
    "there was also {b.sort}. It was {b} from the next street.",
    "{a.he} saw {b}, {b.sort}, who was there with a big smile.",
)


def meet_stranger(stage: Stage) -> None:
    stage.world.go(stage.b, stage.world.place[stage.a])
    stage.tell(STRANGERS)


HEARS = (
    "there {a.he} heard a soft cry. {x.a} was {spot}.",
    "{a.he} looked {spot} and saw {x.a}.",
    "{x.a} was {spot}, and it was all alone.",
    '"what is that?" said {a}. There was {x.a} {spot}.',
)
LIFTS = (
    "{a} picked up {x} very gently.",
    "{a.he} picked up {x}. It was shaking.",
    'carefully {a} picked up {x}. "Do not be afraid," said {a}.',
    '"poor little {x.noun}!" said {a} and picked up {x}.',
)
PLANS = (
    '"it wants its mother," said {b}. "Let us find her."',
    '"where is its home?" asked {a}. "I think I know," said {b}.',
    '{b} said, "I saw its mother near here. We must bring it home."',
    '"we have to help it," said {a}. "Yes, come with me!" said {b}.',
)
CARRIES = (
    "{a} held {x} close to keep it warm.",
    "{a} carried {x} in {a.his} arms.",
    "{a} sang a soft song for {x}.",
    "{b} gave {x} some water on the way.",
)
PLACES_IT = (
    "the mother was {spot}. {a} put {x} {spot}.",
    "{b} pointed. {a} put {x} {spot}, and its mother came at once.",
    "there was a warm nest {spot}. {a} put {x} {spot}, next to its mother.",
    "{a} put {x} {spot} and waited. Soon its mother was there.",
)
REUNITED = (
    "{x} made a happy sound.",
    "the mother was so glad to see {x} again.",
    "{x} was safe and warm again.",
    '"now {x} is home," said {b}.',
)
RESCUE_LESSONS = (
    "even small ones need help",
    "it is good to help those who are lost",
    "helping makes the heart warm",
    "kind hands can do big things",
)


def rescue(stage: Stage) -> str:
    x = stage.thing("x", BABIES, BABY_LOOKS)
    place, nest_place = stage.rng.some(PLACES, 2)
    spot, nest = stage.spots(place, 1)[0], stage.spots(nest_place, 1)[0]
    stage.world.lay(x, spot)
    open_story(stage)
    stage.paragraph()
    go(stage, place, "a", leads=FIRST)
    stage.tell(HEARS, spot=spot.phrase)
    stage.world.take(stage.a, x)
    stage.tell(LIFTS)
    stage.maybe(SAD_BABY)
    meet(stage)
    stage.tell(PLANS)
    go(stage, nest_place, "a", "b")
    stage.tell(CARRIES)
    stage.world.drop(stage.a, x, nest)
    stage.tell(PLACES_IT, spot=nest.phrase)
    stage.tell(REUNITED)
    stage.paragraph()
    close(stage, RESCUE_LESSONS)
    return x.noun


SAD_BABY = ("it was hungry and cold.", "it looked so small and sad.", "a tear was in its eye.")


@dataclass(frozen=True, slots=True)
class Work:
    """Something big that is built at one of `places`, and what comes and ruins it."""

    what: str
    ruin: str
    places: tuple[str, ...] = PLACES


WORKS = (
    Work("a sand castle", "a big wave washed over it", ("beach",)),
    Work("a tower of stones", "a dog bumped into it", ("river", "hill", "beach")),
    Work("a snowman", "the sun came out and it began to melt", ("park", "garden", "hill")),
    Work("a house of sticks", "the wind blew it over", ("forest", "meadow", "farm")),
    Work("a boat of bark", "it hit a rock and sank", ("river", "pond")),
    Work("a house of leaves", "the rain made it flat", ("forest", "garden")),
    Work("a tower of blocks", "a cow kicked it", ("farm", "meadow")),
    Work("a mud pie", "a bird stepped right into it", ("garden", "playground", "park")),
    Work("a bridge of twigs", "the water took it away", ("river", "pond")),
    Work("a long chain of flowers", "the wind tore it apart", ("meadow", "garden", "park")),
    Work("a big tent", "a storm knocked it down", ("meadow", "hill", "park")),
    Work("a path of shells", "a crab ran through it", ("beach",)),
    Work("a fort of boxes", "the rain made it soft", ("market", "playground", "garden")),
    Work("a scarecrow", "a goat ate half of it", ("farm", "garden")),
)
STARTS = (
    "{a.he} wanted to build {what}.",
    "{a.he} began to build {what}.",
    '"today I will build {what}," said {a}.',
    "there {a.he} worked all morning to build {what}.",
)
PROUD = (
    "it was almost done, and {a} was proud.",
    "it got bigger and bigger.",
    "{a} worked very hard, and it looked great.",
    '"look how pretty it is!" said {a}.',
)
RUINS = ("but then {ruin}.", "suddenly {ruin}!", "just then {ruin}.", 'but {ruin}. "Oh no!" cried {a}.')
ENCOURAGES = (
    '"let us build it again," said {b}. "I will help you."',
    '"do not be sad," said {b}. "Two can build better than one."',
    '{b} said, "We can make a new one, and this time I can help."',
    '"it can be even better," said {b}. "Let me help!"',
)
AGAIN = (
    "{a} and {b} worked side by side.",
    "{b} brought what they needed, and {a} put it together.",
    "they worked slowly and with care.",
    "this time they made it very strong.",
)
DONE = (
    "at last they had {what}, bigger than before.",
    'soon they had {what}. "We did it!" said {b}.',
    'when they were done, {a} said, "It is even better now!"',
    "this time nothing went wrong.",
)
BUILD_LESSONS = (
    "it is good to try again",
    "two friends can do more than one",
    "when something breaks, it can be made again",
    "hard work is easy with help",
)


def build(stage: Stage) -> str:
    work = stage.rng.pick(WORKS)
    open_story(stage)
    stage.paragraph()
    go(stage, stage.rng.pick(work.places), "a", leads=FIRST)
    stage.tell(STARTS, what=work.what)
    stage.tell(PROUD)
    stage.tell(RUINS, ruin=work.ruin)
    stage.tell(SAD)
    meet(stage)
    stage.tell(ENCOURAGES)
    stage.tell(AGAIN)
    stage.tell(DONE, what=work.what)
    stage.tell(THANKS)
    stage.paragraph()
    close(stage, BUILD_LESSONS)
    return work.what

"""A rule that is broken; a surprise."""

from dataclasses import dataclass

from stacklab.data.stories.events import THEN, close, go, open_story
from stacklab.data.stories.stage import Stage
from stacklab.data.stories.words import HOME, PLACES


@dataclass(frozen=True, slots=True)
class Rule:
    """Do not `do` it; who `did` met with `harm`, which `cure` mended."""

    do: str
    did: str
    harm: str
    cure: str


RULES = (
    Rule("touch the stove", "touched the stove", "{a.he} burned a finger", "held the finger under cold water"),
    Rule("eat all the cookies", "ate all the cookies", "{a.his} tummy hurt", "made some warm tea"),
    Rule("jump on the bed", "jumped on the bed", "{a.he} fell and bumped {a.his} head", "put ice on the bump"),
    Rule("run on the stairs", "ran on the stairs", "{a.he} fell and hurt a knee", "put a bandage on the knee"),
    Rule("climb on the shelf", "climbed on the shelf", "a blue vase fell and broke", "swept up the pieces"),
    Rule("open the cage", "opened the cage", "the bird flew out of the window", "called the bird with some seeds"),
    Rule("play with the scissors", "played with the scissors", "there was a hole in the curtain", "sewed up the hole"),
    Rule("pull the tail of the goose", "pulled the tail of the goose", "the goose bit {a.him}", "washed the bite"),
    Rule("pick the roses", "picked the roses", "a thorn stuck in {a.his} thumb", "pulled out the thorn"),
    Rule("leave the door open", "left the door open", "the snow blew in and everything got wet", "dried the floor"),
    Rule("draw on the wall", "drew on the wall", "the wall looked like a mess", "cleaned the wall with soap"),
    Rule("stay up late", "stayed up late", "{a.he} was too tired to play", "brought a soft pillow"),
    Rule("play with the hose", "played with the hose", "water splashed all over {a.his} clothes", "found a dry towel"),
    Rule("shake the jam jar", "shook the jam jar", "sticky jam was everywhere", "wiped up the jam"),
    Rule("go out without a coat", "went out without a coat", "{a.he} got very cold", "cooked hot soup"),
    Rule("taste the paint", "tasted the paint", "{a.his} tongue turned green", "brought a glass of milk"),
    Rule("poke the wasp nest", "poked the wasp nest", "a wasp stung {a.him}", "cooled the sting"),
    Rule("kick balls in the house", "kicked a ball in the house", "the window broke", "put a board over the window"),
)  # fmt: skip
WARNS = (
    '"please do not {do}," said {m}.',
    '{m} said, "{a.name}, you must not {do}."',
    '"there is one rule," said {m}. "Do not {do}!"',
    '"remember, do not {do}," said {m} and went to work.',
)
TEMPTED = (
    "but {a} was too curious to listen.",
    '"just this once," thought {a}.',
    "{a} did not listen to the rule.",
    "{a} waited until nobody was looking.",
    '"nothing bad will happen," thought {a}.',
)
BREAKS = ("{a} {did}.", "so {a} {did}.", "then {a} {did}.", "as soon as {m} was away, {a} {did}.")
HARM = (
    "oh no! {harm}.",
    "but then {harm}.",
    "suddenly {harm}.",
    '"oh no!" cried {a}. It was too late, and {harm}.',
)
COMES = (
    '{m} came in and asked, "What happened here?"',
    "{m} heard the noise and came to see.",
    '"{a.name}, what did you do?" asked {m}.',
    '{m} looked at {a} and asked, "What is going on?"',
)
FEARS_TRUTH = (
    "{a} wanted to hide. But {a.he} told the truth.",
    "{a} looked at the floor and said nothing at first.",
    "{a} did not want to lie.",
    "{a.his} face turned red.",
)
TELLS_TRUTH = (
    '"I am sorry," said {a}. "I did not listen to you."',
    '{a} said, "I broke the rule. I am so sorry."',
    '"it was me," said {a}. "I am sorry, {m.name}."',
    '"I did what you told me not to do," said {a}. "I am sorry."',
)
MENDS = (
    "{m} {cure} and gave {a} a hug.",
    '{m} was not angry for long. {m} {cure} and said, "Thank you for telling the truth."',
    '"rules keep you safe," said {m}. Then {m} {cure}.',
    "first {m} {cure}. Then they had a long talk.",
)
PROMISES = (
    '"I will listen next time," said {a}.',
    '"I promise to keep the rule," said {a}.',
    "{a} promised to listen and never did it again.",
    '"next time I will ask first," said {a}. And {a.he} did.',
)
RULE_LESSONS = (
    "it is important to listen",
    "rules are there to keep us safe",
    "it is best to tell the truth and say sorry",
    "{a.he} should listen to {m}",
)
HUGS = (
    "{a} and {m} read a book together.",
    "that night {a} slept very well.",
    "then they all had dinner together.",
    "{m} tucked {a} into bed and sang a song.",
    "{a} and {m} cooked dinner together.",
)


def rule(stage: Stage) -> str:
    chosen = stage.rng.pick(RULES)
    words = {"do": chosen.do, "did": chosen.did, "cure": chosen.cure}
    stage.world.go(stage.a, HOME)
    stage.world.go(stage.m, HOME)
    open_story(stage)
    stage.paragraph()
    stage.tell(WARNS, **words)
    stage.tell(TEMPTED)
    stage.tell(BREAKS, **words)
    stage.tell([form.replace("{harm}", chosen.harm) for form in HARM])
    stage.tell(COMES)
    stage.tell(FEARS_TRUTH)
    stage.tell(TELLS_TRUTH)
    stage.tell(MENDS, **words)
    stage.tell(PROMISES)
    stage.paragraph()
    close(stage, RULE_LESSONS, lasts=HUGS)
    return chosen.do


BIRTHDAY = (
    "today was {a}'s birthday.",
    "it was {a.his} birthday, and {a.he} was very excited.",
    "{a} woke up early. It was {a.his} birthday!",
    "at last it was {a.his} birthday.",
)
FORGOTTEN = (
    "but {m} did not say a word about it.",
    '"I am very busy today," said {m}. "Go and play."',
    "but {m} only smiled and went on cooking.",
    "{a} waited for a cake, but there was no cake.",
)
HIDES = (
    "nobody told {a} that {m} had hidden {x.a} {spot}.",
    "{a} did not see {x.a} {spot}.",
    "{a} did not know that {x.a} was {spot}.",
)
LONELY = (
    '"everyone forgot my birthday," thought {a}.',
    "{a} sat on the ground and felt very lonely.",
    "{a} did not want to play. {a.he} felt forgotten.",
    '"nobody thinks of me," said {a} and cried a little.',
)
EVENING = ("in the evening", "when the sun went down,", "at the end of the day", "when it was time for dinner,")
DARK = ("the house was dark and quiet.", "all the lights were off.", "{a} opened the door very slowly.")
SURPRISE = (
    '"surprise!" shouted {m} and {b}. "Happy birthday, {a.name}!"',
    'then the lights went on. "Surprise!" shouted {b} and {m}.',
    '"surprise! Surprise!" {b} and {m} jumped up and sang a song.',
)
WHO_B = (
    "{b} was {b.sort} and {a}'s best friend.",
    "{b}, {b.sort}, had made a big cake.",
    "{b} was {b.sort} from next door.",
)
PRESENTS = (
    "{m} took {x} from its place {spot} and gave {x} to {a}.",
    '{m} looked {spot} and picked up {x}. "This is for you," said {m} and gave {x} to {a}.',
    "{m} picked up {x} and gave it to {a}.",
)
WONDER = (
    '"I thought you forgot me," said {a}. "Never!" said {m}.',
    '"this is the best surprise ever!" said {a}.',
    '{a} could not believe it. "Is it for me?" asked {a}.',
    '"I always wanted {x.a}!" cried {a}.',
)
SURPRISE_LESSONS = (
    "friends do not forget each other",
    "a surprise can come when nobody waits for it",
    "{a.he} was never alone",
    "good things are worth waiting for",
)


def surprise(stage: Stage) -> str:
    x = stage.thing("x")
    spot = stage.spots(HOME, 1)[0]
    for one in (stage.a, stage.b, stage.m):
        stage.world.go(one, HOME)
    stage.world.lay(x, spot)
    open_story(stage)
    stage.paragraph()
    stage.tell(BIRTHDAY)
    stage.tell(FORGOTTEN)
    stage.tell(HIDES, spot=spot.phrase)
    go(stage, stage.rng.pick(PLACES), "a", leads=THEN)
    stage.tell(LONELY)
    go(stage, HOME, "a", leads=EVENING)
    stage.tell(DARK)
    stage.tell(SURPRISE)
    stage.tell(WHO_B)
    stage.world.take(stage.m, x)
    stage.world.give(stage.m, x, stage.a)
    stage.tell(PRESENTS, spot=spot.phrase)
    stage.tell(WONDER)
    stage.paragraph()
    close(stage, SURPRISE_LESSONS)
    return x.noun

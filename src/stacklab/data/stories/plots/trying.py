"""A wish that comes true with help; a fear that is overcome; a race between one who is proud and one who is not."""

from dataclasses import dataclass

from stacklab.data.stories.events import FIRST, SAD, THANKS, close, go, meet, open_story
from stacklab.data.stories.stage import Stage
from stacklab.data.stories.words import FIXTURES, PLACES


@dataclass(frozen=True, slots=True)
class Skill:
    """Something to be learned: `to do`, `did`, how it fails at first, and what a friend says."""

    do: str
    did: str
    fails: str
    tip: str
    places: tuple[str, ...] = PLACES


WATER = ("beach", "pond", "river")
SKILLS = (
    Skill("swim", "swam", "water went up WHOSE nose", "kick your legs and keep your head up", WATER),
    Skill("whistle", "whistled", "no sound came out", "make a small round mouth and blow softly"),
    Skill("dance", "danced", "WHO stepped on WHOSE own foot", "listen to the music and move slowly"),
    Skill("climb the tree", "climbed the tree", "WHO slid down again", "hold the branch with both hands",
          ("park", "garden", "forest", "hill")),
    Skill("jump over the log", "jumped over the log", "WHO bumped WHOSE knee", "run fast and jump high", ("forest",)),
    Skill("count to ten", "counted to ten", "WHO forgot the number six", "use your toes to count"),
    Skill("stand on one leg", "stood on one leg", "WHO fell over", "look at one spot and do not move"),
    Skill("sing the song", "sang the song", "the words came out wrong", "sing one line at a time"),
    Skill("read a word", "read a word", "the letters looked too hard", "say each letter out loud"),
    Skill("draw a horse", "drew a horse", "it looked like a potato", "start with a big circle"),
    Skill("tie a knot", "tied a knot", "the knot came apart", "make a loop and pull it through"),
    Skill("skip stones", "skipped stones", "every stone sank", "throw it low and flat", WATER),
    Skill("roll down the hill", "rolled down the hill", "WHO stopped half way", "make your arms long", ("hill",)),
    Skill("ride a bike", "rode a bike", "the bike tipped over", "look ahead and keep going"),
    Skill("catch a hoop", "caught a hoop", "the hoop hit WHOSE tummy", "open your hands and watch the hoop"),
    Skill("stack the blocks", "stacked the blocks", "the blocks crashed down", "put the big ones at the bottom"),
    Skill("row the boat", "rowed the boat", "the boat went in circles", "pull with both arms", WATER),
    Skill("blow a bubble", "blew a bubble", "the bubble popped", "blow as soft as a kiss"),
)  # fmt: skip
WISHES = (
    "{a} wished that {a.he} could {do}.",
    "{a.he} had one big wish. {a.he} wanted to {do}.",
    "{a} wanted to {do} more than anything in the world.",
    "every night {a} dreamed that {a.he} could {do}.",
)
FAILS = (
    "{a.he} tried to {do}, but {fails}.",
    "{a} took a deep breath and tried to {do}. But {fails}.",
    "{a.he} tried and tried, but each time {fails}.",
    "{a} tried to {do}. Oh dear, {fails}!",
)
GIVES_UP = (
    '"I can not do it," said {a}.',
    '"it is too hard for me," said {a}.',
    '{a} said, "I will never learn it!"',
    '"I give up," said {a} and kicked a pebble.',
)
TEACHES = (
    '"I can help you," said {b}. "You have to {tip}."',
    '"try again," said {b}, "and {tip}."',
    '{b} said, "Let me show you. Just {tip}."',
    '"it was hard for me too," said {b}. "You must {tip}."',
)
RETRIES = (
    "{a} listened to {b} and tried again.",
    "{a} tried one more time, and {b} watched.",
    "{a} nodded. {a.he} did just what {b} said.",
    "{a} was not so sure, but {a.he} tried once more.",
)
MANAGES = (
    "this time {a} {did}!",
    "and then {a} {did} all alone!",
    'slowly, slowly, {a} {did}. "I can do it!"',
    'at last {a} {did}. "Hooray!" shouted {b}.',
)
WISH_LESSONS = (
    "hard things get easy when {a.he} does not give up",
    "it is good to ask for help",
    "a wish can come true with a little help",
    "it is good to try again",
)


def wish(stage: Stage) -> str:
    skill = stage.rng.pick(SKILLS)
    words = {"do": skill.do, "did": skill.did, "tip": skill.tip}
    # `Whose` and `who` become pronouns only where the sentence is written.
    fails = skill.fails.replace("WHOSE", "{a.his}").replace("WHO", "{a.he}")
    open_story(stage, unlike=skill.do)
    stage.tell(WISHES, **words)
    stage.paragraph()
    go(stage, stage.rng.pick(skill.places), "a", leads=FIRST)
    stage.tell([form.replace("{fails}", fails) for form in FAILS], **words)
    stage.tell(GIVES_UP)
    stage.maybe(SAD)
    meet(stage)
    stage.tell(TEACHES, **words)
    stage.tell(RETRIES)
    stage.tell(MANAGES, **words)
    stage.tell(THANKS)
    stage.paragraph()
    close(stage, WISH_LESSONS)
    return skill.do


@dataclass(frozen=True, slots=True)
class Fear:
    """`of` what, at which place, what `to do` in spite of it, and what was `done`."""

    of: str
    place: str
    do: str
    did: str
    good: str


FEARS = (
    Fear("the dark", "forest", "walk into the dark cave", "walked into the dark cave", "full of tiny lights"),
    Fear("high places", "hill", "look down from the top", "looked down from the top", "like a little map"),
    Fear("the big slide", "park", "go down the slide", "slid down the slide", "as fast as a bird"),
    Fear("deep water", "pond", "step into the pond", "stepped into the pond", "cool and nice"),
    Fear("the big waves", "beach", "jump into a wave", "jumped into a wave", "like a salty tickle"),
    Fear("bees", "meadow", "smell the flowers", "smelled the flowers", "as sweet as sugar"),
    Fear("loud noises", "farm", "sit on the tractor", "sat on the tractor", "a lot of fun"),
    Fear("the long bridge", "river", "cross the bridge", "crossed the bridge", "not scary at all"),
    Fear("the tunnel", "playground", "crawl through the tunnel", "crawled through the tunnel", "short and funny"),
    Fear("crowds", "market", "say hello to the baker", "said hello to the baker", "very easy"),
    Fear("worms", "garden", "dig in the mud", "dug in the mud", "soft and warm"),
    Fear("big animals", "farm", "pat the old horse", "patted the old horse", "as soft as a pillow"),
    Fear("thunder", "meadow", "stay out in the rain", "stayed out in the rain", "like a happy drum"),
    Fear("ladders", "garden", "go up the ladder", "climbed up the ladder", "like being a giant"),
)  # fmt: skip
AFRAID = (
    "but {a} was afraid of {fear}.",
    "there was one problem. {a} was scared of {fear}.",
    "but {a.he} was very scared of {fear}.",
    "{a} was afraid of just one thing, and that was {fear}.",
)
DARES = (
    '"come, let us {do}," said {b}.',
    '"do you want to {do} with me?" asked {b}.',
    '{b} said, "I want to {do}. Come with me!"',
)
REFUSES = (
    '"no, I am scared," said {a}.',
    '{a} shook {a.his} head. "I am afraid," said {a}.',
    "{a} hid {a.his} face. {a.he} was too scared.",
    "{a.his} legs shook like jelly.",
)
COMFORTS = (
    '"I was scared once too," said {b}. "I will stay with you."',
    '"take my hand," said {b}. "We can do it together."',
    '{b} said, "Being brave means to try when you are afraid."',
    '"close your eyes and count to three," said {b}. "I am right here."',
)
DOES = (
    "{a} took {b}'s hand. One, two, three! {a} {did}.",
    "{a} was still afraid, but {a.he} {did}.",
    "{a} took a big breath. Then {a.he} {did}.",
    "slowly {a} said yes. With {b} close by, {a} {did}.",
)
GOOD = (
    'it was {good}! "I did it!" shouted {a}.',
    '"it is {good}!" said {a}.',
    "{a} opened {a.his} eyes. It was {good}.",
    'to the surprise of {a}, it was {good}. "Again!" cried {a}.',
)
UNAFRAID = (
    "{a} was not afraid of {fear} any more.",
    "now {fear} did not scare {a} any more.",
    "from then on, {a} was no longer scared of {fear}.",
)
FEAR_LESSONS = (
    "being brave means to try when {a.he} is afraid",
    "scary things are smaller with a friend",
    "it is okay to be scared and still try",
)


def fear(stage: Stage) -> str:
    chosen = stage.rng.pick(FEARS)
    words = {"do": chosen.do, "did": chosen.did, "good": chosen.good, "fear": chosen.of}
    open_story(stage, unlike=f"{chosen.of} {chosen.do}")
    stage.tell(AFRAID, **words)
    stage.paragraph()
    go(stage, chosen.place, "a", leads=FIRST)
    meet(stage)
    stage.tell(DARES, **words)
    stage.tell(REFUSES)
    stage.tell(COMFORTS)
    stage.tell(DOES, **words)
    stage.tell(GOOD, **words)
    stage.tell(UNAFRAID, **words)
    stage.paragraph()
    close(stage, FEAR_LESSONS)
    return chosen.of


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

"""Events that many plots share: each changes the world and tells of it in one of many forms."""

from stacklab.data.stories.stage import Forms, Stage
from stacklab.data.stories.words import HOME
from stacklab.data.stories.world import Thing

FIRST = (
    "one day,", "one day", "one sunny day,", "one morning,", "one warm afternoon,", "one fine day,", "one cold day,",
    "one windy day,", "one day after lunch,", "one bright morning,", "early one morning,", "on a quiet day,",
)  # fmt: skip
THEN = ("then", "after that,", "soon", "a little later,", "", "")
NEXT_DAY = ("the next day,", "the next morning,", "a few days later,", "one week later,")

OPENINGS = (
    "once upon a time there was {a.intro}.",
    "once upon a time there was {a.sort} called {a}.",
    "once upon a time, there was {a.intro}.",
    "once upon a time there lived {a.intro}.",
    "there once was {a.intro}.",
    "long ago there was {a.intro}.",
    "{a} was {a.sort}.",
)
PROMPTED = 3
"""The number of openings that are drawn more often: they begin as the sample's prompt does."""
HOBBIES = (
    "sing", "dance", "draw", "paint", "run in the grass", "jump over puddles", "look at the clouds", "count the birds",
    "play in the sun", "tell jokes", "help others", "make new friends", "eat honey", "climb trees", "hear stories",
    "swim", "play hide and seek", "chase butterflies", "pick flowers", "splash in the rain", "roll in the leaves",
    "watch the stars", "bake bread", "hum a song", "build things", "look for bugs", "sleep in the sun",
)  # fmt: skip
LIKES = (
    "{a.he} loved to {hobby}.",
    "{a.he} liked to {hobby} every day.",
    "more than anything, {a.he} loved to {hobby}.",
    "all day long {a.he} liked to {hobby}.",
    "{a.he} could {hobby} for hours.",
    "nobody loved to {hobby} as much as {a}.",
)
LIVES = (
    "{a.he} lived in {house} house.",
    "{a.he} lived with {a.his} family in {house} house.",
    "{a.his} home was {house} house with a red roof.",
    "everyone who knew {a} liked {a.him}.",
    "{a.he} had a big smile and a warm heart.",
    "{a.he} always said please and thank you.",
)
HOUSES = ("a small", "a little", "a tall", "a white", "a red", "a cozy", "an old", "a yellow", "a wooden", "a tiny")

GOES = (
    "WHO went TO.", "WHO ran TO.", "WHO walked TO.", "WHO hurried TO.", "WHO skipped TO.", "WHO ran all the way TO.",
    "WHO walked slowly TO.", "WHO went TO with a smile.", "WHO marched TO.", "WHO raced TO.",
)  # fmt: skip
MEETS = (
    "there {a.he} met {b.intro}.",
    "{a.he} saw {b.intro} there.",
    "{b.intro} was there too.",
    "there {a.he} met {a.his} friend {b}. {b} was {b.sort}.",
    "{a.his} friend {b}, {b.sort}, was playing there.",
    "{b}, {b.sort}, came by and waved.",
    "{b.intro} came by to say hello.",
)
OWNS = (
    "{a.he} had {x.a}.",
    "{a.he} had {x.a} that {a.he} loved very much.",
    "{a.his} best toy was {x.a}.",
    "for {a.his} birthday {a.he} got {x.a}.",
    "{a.he} had {x.a} and took it everywhere.",
)
SAD = (
    "{a} was very sad.", "{a} began to cry.", "{a.he} felt so sad.", "a big tear rolled down {a.his} cheek.",
    "{a} wanted to cry.", "{a.he} sat down and cried.", "{a.he} did not know what to do.", "{a.his} heart was heavy.",
)  # fmt: skip
HAPPY = (
    "{a} was very happy.", "{a} smiled a big smile.", "{a} jumped up and down with joy.", "{a.he} felt warm inside.",
    "{a} laughed out loud.", "{a.he} was so glad.", "{a} clapped and cheered.", "{a.his} heart was full of joy.",
)  # fmt: skip
ASKS = (
    '"what is wrong?" asked {b}.',
    '"why are you sad, {a.name}?" asked {b}.',
    '{b} asked, "What is the matter, {a.name}?"',
    '"please do not cry," said {b}. "What happened?"',
    '{b} sat down next to {a} and asked, "Are you okay?"',
)
THANKS = (
    '"thank you, {b.name}!" said {a}.',
    '"thank you so much!" cried {a}.',
    '{a} gave {b} a big hug and said, "Thank you."',
    '"you are the best friend ever," said {a}.',
    '"thank you for your help, {b.name}," said {a} with a smile.',
)
LASTS = (
    "{a} and {b} played together until the sun went down.",
    "from that day on, {a} and {b} were best friends.",
    "they laughed and played all afternoon.",
    "{a} and {b} danced and sang together.",
    "it was the best day ever.",
    "that night {a} fell asleep with a smile.",
    "after that, {a} and {b} played together every day.",
    "they told everyone about their big day.",
    "{a} and {b} held hands and watched the sunset.",
)
LEARNS = (
    "{a} learned that {lesson}.",
    "from then on, {a} always knew that {lesson}.",
    "that day {a} learned that {lesson}.",
    "the moral of the story is that {lesson}.",
    "and {a.he} never forgot that {lesson}.",
)
THE_END = ("the end.",)


def open_story(stage: Stage, *, unlike: str = "") -> None:
    """`unlike`: what the hero cannot do or fears, so that it is nothing that the hero loves to do."""
    hobbies = [hobby for hobby in HOBBIES if not _long_words(hobby) & _long_words(unlike)] if unlike else HOBBIES
    often = stage.rng.whole(0, 2) > 0
    stage.tell(OPENINGS[:PROMPTED] if often else OPENINGS)
    stage.maybe(LIVES, house=stage.rng.pick(HOUSES))
    stage.tell(LIKES, hobby=stage.rng.pick(hobbies))


def go(stage: Stage, place: str, *keys: str, leads: Forms = THEN) -> None:
    """Characters by their letters, one or two of them."""
    for key in keys:
        stage.world.go(getattr(stage, key), place)
    who = "{a} and {b}" if len(keys) == 2 else f"{{{keys[0]}.he}}"
    to = HOME if place == HOME else f"to the {place}"
    stage.tell([form.replace("WHO", who).replace("TO", to) for form in GOES], leads=leads)


def meet(stage: Stage) -> None:
    """`b` comes to where `a` is."""
    stage.world.go(stage.b, stage.world.place[stage.a])
    stage.tell(MEETS)


def own(stage: Stage, thing: Thing) -> None:
    stage.world.own(stage.a, thing)
    stage.tell(OWNS)


def close(stage: Stage, lessons: Forms, *, lasts: Forms = LASTS) -> None:
    """The last paragraph: joy, a last thing they do, and often a moral."""
    stage.tell(HAPPY)
    stage.tell(lasts)
    if stage.rng.whole(0, 2):
        lesson = stage.rng.pick(lessons)
        stage.tell([form.replace("{lesson}", lesson) for form in LEARNS])
    stage.maybe(THE_END)


def _long_words(text: str) -> set[str]:
    return {word for word in text.split() if len(word) > 3}

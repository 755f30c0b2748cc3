"""Names, kinds, things and places of the stories: words that a child of four knows."""

GIRL_NAMES = (
    "Amy", "Anna", "Bella", "Clara", "Ella", "Emma", "Eva", "Jane", "Jenny", "Julia", "Kate", "Kim",
    "Lena", "Lily", "Lisa", "Lucy", "Maya", "Mia", "Nina", "Nora", "Sally", "Sara", "Sue", "Zoe",
)  # fmt: skip
BOY_NAMES = (
    "Adam", "Alex", "Ben", "Bob", "Carl", "Dan", "David", "Finn", "Fred", "Henry", "Jack", "Jim",
    "John", "Leo", "Luke", "Max", "Noah", "Oscar", "Pete", "Sam", "Ted", "Tim", "Tom", "Will",
)  # fmt: skip
SHE_ANIMAL_NAMES = (
    "Bibi", "Coco", "Dolly", "Dot", "Fifi", "Goldie", "Kiki", "Lulu",
    "Mimi", "Molly", "Pip", "Polly", "Rosie", "Suki", "Tilly", "Trixie",
)  # fmt: skip
HE_ANIMAL_NAMES = (
    "Barney", "Benny", "Bobo", "Buster", "Chip", "Dusty", "Fuzzy", "Gus",
    "Hugo", "Milo", "Otto", "Paddy", "Rex", "Rufus", "Toby", "Ziggy",
)  # fmt: skip
SHE_ELDERS = ("Mom", "Grandma")
HE_ELDERS = ("Dad", "Grandpa")
SHE_NAMES = frozenset(GIRL_NAMES + SHE_ANIMAL_NAMES + SHE_ELDERS)
HE_NAMES = frozenset(BOY_NAMES + HE_ANIMAL_NAMES + HE_ELDERS)

ANIMALS = (
    "bear", "cat", "panda", "deer", "dog", "duck", "elephant", "fox", "frog", "goat", "penguin", "hedgehog",
    "lamb", "mole", "monkey", "mouse", "owl", "pig", "pony", "rabbit", "squirrel", "turtle",
)  # fmt: skip
KINDS = ("girl", "boy", *ANIMALS)

TRAITS = (
    "brave", "busy", "careful", "cheerful", "clever", "curious", "friendly", "funny", "gentle", "good",
    "happy", "kind", "lively", "nice", "playful", "polite", "quiet", "shy", "silly", "smart", "sweet", "young",
)  # fmt: skip

COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "pink", "white", "brown", "black")
LOOKS = ("big", "small", "tiny", "new", "old", "pretty", "shiny", "bright", "lovely", "special")
THINGS = (
    "ball", "basket", "bell", "blanket", "book", "bracelet", "bucket", "button", "cap", "coat", "crown", "cup",
    "doll", "drum", "fan", "feather", "flag", "flute", "hat", "horn", "key", "kite", "lamp", "marble", "mask",
    "mirror", "necklace", "pillow", "puppet", "puzzle", "ribbon", "ring", "robot", "rope", "scarf", "shell",
    "shovel", "spoon", "stone", "teddy", "train", "truck", "umbrella", "wagon", "whistle",
)  # fmt: skip
FOODS = (
    "apple", "banana", "biscuit", "bun", "cake", "carrot", "cookie", "melon", "muffin",
    "orange", "pancake", "peach", "pear", "pie", "plum", "sandwich",
)  # fmt: skip
TASTES = ("big", "fresh", "sweet", "tasty", "round", "warm", "yummy")

BABIES = ("chick", "duckling", "kitten", "puppy", "bunny", "piglet", "calf", "owlet", "foal", "snail", "swan", "robin")
BABY_LOOKS = ("tiny", "small", "fluffy", "lost", "wet", "brown", "gray", "yellow")

HOME = "home"
FIXTURES = {
    "park": ("slide", "bench", "swing", "fountain", "statue"),
    "garden": ("gate", "rose bush", "flower pot", "wheelbarrow", "cherry tree"),
    "beach": ("old boat", "sand hill", "blue towel", "big wave rock", "palm tree"),
    "forest": ("log", "oak tree", "fern", "hollow stump", "mushroom"),
    "farm": ("tractor", "haystack", "barn door", "trough", "coop"),
    "pond": ("reeds", "wooden dock", "willow tree", "lily pads", "stepping stones"),
    "playground": ("seesaw", "sandbox", "climbing frame", "tunnel", "tire"),
    "market": ("fruit stand", "cart", "flower stall", "barrel", "counter"),
    "river": ("bridge", "mill", "rowboat", "river bank", "tall grass"),
    "meadow": ("old wall", "clover", "fence", "beehive", "daisies"),
    "hill": ("pine tree", "gray rock", "bramble", "signpost", "tall tower"),
    HOME: ("bed", "sofa", "kitchen table", "closet", "armchair", "rug"),
}
PLACES = tuple(place for place in FIXTURES if place != HOME)

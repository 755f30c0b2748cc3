"""The small vocabulary that all families share: short words, each a single token of a small byte-pair vocabulary."""

WOMEN = (
    "Ana", "Dora", "Eva", "Ida", "June", "Kate", "Lea", "Mia",
    "Nora", "Olga", "Rosa", "Ruth", "Sara", "Tina", "Vera", "Zoe",
)  # fmt: skip
MEN = (
    "Ben", "Carl", "Dan", "Finn", "Glen", "Hugo", "Ian", "Jack",
    "Leo", "Max", "Noah", "Omar", "Paul", "Sam", "Tom", "Walt",
)  # fmt: skip
PEOPLE = WOMEN + MEN

COLOURS = (
    "red", "blue", "green", "yellow", "black", "white",
    "pink", "brown", "gray", "orange", "purple", "gold",
)  # fmt: skip
PLACES = (
    "park", "lake", "farm", "mill", "shop", "bridge",
    "school", "church", "hill", "tower", "well", "barn",
)  # fmt: skip
LETTERS = ("h", "k", "m", "n", "p", "q", "r", "t", "w", "z")

# One of each can be held; several of each can be counted.
OBJECTS = ("ball", "key", "book", "ring", "hat", "lamp", "map", "bell", "drum", "kite")
COUNTED = ("coins", "books", "apples", "shells", "stamps", "cards", "pens", "nuts", "beads", "eggs")

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

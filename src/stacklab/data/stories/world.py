"""What is true in a story at each moment: who is where, and who or what has each thing.

Every change has conditions. A plot that breaks one has a bug, so conditions are asserted.
"""

from dataclasses import dataclass, field
from typing import Literal

Gender = Literal["she", "he"]


@dataclass(frozen=True, slots=True)
class Character:
    name: str
    kind: str
    gender: Gender
    trait: str


@dataclass(frozen=True, slots=True)
class Thing:
    """`look` stays the same for the whole story."""

    noun: str
    look: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A hiding place: `under the slide` in the park."""

    place: str
    phrase: str


@dataclass
class World:
    place: dict[Character, str] = field(default_factory=dict)
    keeper: dict[Thing, Character | Spot] = field(default_factory=dict)

    def go(self, who: Character, place: str) -> None:
        self.place[who] = place

    def lay(self, thing: Thing, spot: Spot) -> None:
        """The story begins with the thing there."""
        assert thing not in self.keeper
        self.keeper[thing] = spot

    def own(self, who: Character, thing: Thing) -> None:
        """The story begins with the thing in someone's hands."""
        assert thing not in self.keeper
        self.keeper[thing] = who

    def drop(self, who: Character, thing: Thing, spot: Spot) -> None:
        assert self.keeper[thing] == who
        assert self.place[who] == spot.place
        self.keeper[thing] = spot

    def search(self, who: Character, spot: Spot) -> list[Thing]:
        """What lies there."""
        assert self.place[who] == spot.place
        return [thing for thing, keeper in self.keeper.items() if keeper == spot]

    def take(self, who: Character, thing: Thing) -> None:
        """From the spot where it lies."""
        spot = self.keeper[thing]
        assert isinstance(spot, Spot)
        assert self.place[who] == spot.place
        self.keeper[thing] = who

    def give(self, giver: Character, thing: Thing, taker: Character) -> None:
        assert giver != taker
        assert self.keeper[thing] == giver
        self.together(giver, taker)
        self.keeper[thing] = taker

    def together(self, *people: Character) -> None:
        assert len({self.place[one] for one in people}) == 1

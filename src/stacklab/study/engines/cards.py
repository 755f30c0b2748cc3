"""The cards of a machine, and which jobs run on each."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(eq=False)
class Card:
    """A place where jobs run.

    name: the card's, in CUDA_VISIBLE_DEVICES; empty for the CPU beside cards; None on a machine without cards, where
    the variable is left as it is. room: the most jobs at a time. reserved: one job has the card to itself.
    """

    name: str | None
    room: int
    jobs: set[int] = field(default_factory=set)
    reserved: bool = False

    def takes(self, *, alone: bool) -> bool:
        """Whether another job may start here now; alone: one that must have the card to itself."""
        return not self.jobs if alone else not self.reserved and len(self.jobs) < self.room

    def start(self, job: int, *, alone: bool) -> None:
        self.jobs.add(job)
        self.reserved = alone

    def end(self, job: int) -> None:
        self.jobs.remove(job)
        self.reserved = False


class Cards:
    """A machine without cards is one place with room for all workers."""

    def __init__(self, names: Sequence[str], *, runs_per_gpu: int, workers: int) -> None:
        self._cards = [Card(name, runs_per_gpu) for name in names] or [Card(None, workers)]
        self._cpu = Card("", workers) if names else self._cards[0]

    def free(self, count: int = 1, *, on_card: bool, alone: bool) -> list[Card]:
        """The `count` cards with the fewest jobs that take another one, the first of equals; none if fewer do."""
        places = self._cards if on_card else [self._cpu]
        ready = sorted((card for card in places if card.takes(alone=alone)), key=lambda card: len(card.jobs))
        return ready[:count] if len(ready) >= count else []

"""k-hop induction (Sanford, Hsu and Telgarsky, arXiv 2402.09268, definition 4.1)."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Items, Spec
from stacklab.tasks.batch import IGNORE, Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST, Ascending
from stacklab.tasks.parts.guessing import heaviest, hit_rate, most_frequent
from stacklab.tasks.parts.show import letters
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split

Hops = Annotated[Items[Annotated[int, Field(ge=0, le=MOST)]], Field(min_length=1), Ascending]


class KHop(Spec):
    """From each symbol back to what followed its last appearance, k times over; k is the first token.

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(KHop(hops=(1, 2), symbols=3, sequence_length=8), "1-hop a b a c b a b c"))
    tokens  1-hop    a    b a    c b a b c
    targets     . none none b none a c a b
    >>> print(answered(KHop(hops=(1, 2), symbols=3, sequence_length=8), "2-hop a b a c b a b c"))
    tokens  2-hop    a    b    a    c b    a b c
    targets     . none none none none b none c a

    With find_1(i) = max {j <= i: x_(j-1) = x_i} and find_k = find_1 after find_(k-1), the answer at i is the symbol at
    find_k(i), or `none` where there is no such place. Every symbol has a target; `none` is a target that is not
    scored. No symbol follows itself. k is drawn anew for each sequence. Slices: k.
    """

    kind: Literal["k-hop"] = "k-hop"
    hops: Hops = (1, 2, 3, 4)
    symbols: int = Field(default=16, ge=3, le=MOST)
    sequence_length: int = Field(default=64, ge=3, le=MOST)

    @model_validator(mode="after")
    def _long_enough(self) -> "KHop":
        reach = self.hops[-1] * self.symbols
        if reach > self.sequence_length:
            raise ValueError(
                f"{self.hops[-1]} hops of about {self.symbols} places each, one for every symbol, go back {reach} "
                f"places; sequence_length is {self.sequence_length}"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.symbols + 1 + len(self.hops)

    @property
    def _none(self) -> int:
        return self.symbols

    @property
    def length(self) -> int:
        return self.sequence_length + 1

    @property
    def makeup(self) -> str:
        return f"the token of k + {self.sequence_length} symbols"

    @property
    def names(self) -> tuple[str, ...]:
        return (*letters(self.symbols), "none", *(f"{k}-hop" for k in self.hops))

    @property
    def readout(self) -> Ids:
        return np.arange(self.symbols + 1)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.length)

    def slices(self) -> dict[int, str]:
        return {k: f"k={k}" for k in self.hops}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        strides_BN = rng.integers(1, self.symbols, size=(size, self.sequence_length))
        strides_BN[:, 0] = rng.integers(self.symbols, size=size)
        x_BN = np.cumsum(strides_BN, axis=1) % self.symbols
        choice_B = rng.integers(len(self.hops), size=size)
        tokens_BT = np.concatenate([choice_B[:, None] + self._none + 1, x_BN], axis=1)
        targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
        k_B = np.array(self.hops)[choice_B]
        place_BN = self._places(x_BN, k_B)
        exists_BN = place_BN >= 0
        targets_BT[:, 1:] = np.where(exists_BN, np.take_along_axis(x_BN, place_BN, axis=1), self._none)
        slice_BT[:, 1:] = np.where(exists_BN, k_B[:, None], IGNORE)
        return TaskBatch(tokens_BT, targets_BT, slice_BT)

    def _places(self, x_BN: Ids, k_B: Ids) -> Ids:
        """[B, N] the place, from 0, that lies k hops back; -1 for nowhere."""
        back_BP = _find_1(x_BN, self.symbols)
        place_BN = np.tile(np.arange(self.sequence_length), (len(x_BN), 1))
        for k in range(1, self.hops[-1] + 1):
            rows = np.flatnonzero(k_B >= k)
            place_BN[rows] = np.take_along_axis(back_BP[rows], place_BN[rows], axis=1)
        return place_BN

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, (hop, *x) in enumerate(tokens_BT.tolist()):
            for start in range(len(x)):
                place: int | None = start
                for _ in range(self.hops[hop - self._none - 1]):
                    if place is not None:
                        places = [j for j in range(1, place + 1) if x[j - 1] == x[place]]
                        place = max(places, default=None)
                targets_BT[row, start + 1] = self._none if place is None else x[place]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """`recent majority` knows how often k hops lead back by each distance, but not where they lead."""
        scored_BN = batch.scored_BT[:, 1:]
        same_BNV = batch.tokens_BT[:, 1:, None] == np.arange(self.symbols)
        return {
            "most frequent": most_frequent(batch),
            "majority so far": heaviest(batch.targets_BT[batch.scored_BT], np.cumsum(same_BNV, axis=1)[scored_BN]),
            "recent majority": heaviest(batch.targets_BT[batch.scored_BT], self._recent(batch.tokens_BT)[scored_BN]),
            "symbol before": hit_rate(batch, np.roll(batch.tokens_BT, 1, axis=1)),
        }

    def _recent(self, tokens_BT: Ids) -> np.ndarray:
        """[B, N, V] the probability of each answer given the distances alone: what one layer can add up."""
        x_BN, k_B = tokens_BT[:, 1:], np.array(self.hops)[tokens_BT[:, 0] - self._none - 1]
        place_BN, here_N = self._places(x_BN, k_B), np.arange(self.sequence_length)
        weight_BNV = np.zeros((*x_BN.shape, self.symbols))
        for k in self.hops:
            rows = k_B == k
            back = (here_N - place_BN[rows])[place_BN[rows] >= 0]
            often_N = np.bincount(back, minlength=self.sequence_length) / max(back.size, 1)
            often_NM = np.tril(often_N[here_N[:, None] - here_N])
            weight_BNV[rows] = often_NM @ (x_BN[rows][:, :, None] == np.arange(self.symbols))
            if k == 1:  # no symbol follows itself, so this one is not the answer
                weight_BNV[rows] *= x_BN[rows][:, :, None] != np.arange(self.symbols)
        return weight_BNV


def _find_1(x_BN: Ids, symbols: int) -> Ids:
    """[B, N + 1] the place after the last earlier appearance of the symbol at each place; -1 for nowhere.

    Places count from 0. The last column is -1, so that the index -1 (nowhere) leads to -1 again.
    """
    first_B = np.arange(len(x_BN)) * symbols
    after = np.full(len(x_BN) * symbols, -1, dtype=np.int64)
    after_PB = np.full((x_BN.shape[1] + 1, len(x_BN)), -1, dtype=np.int64)
    for place, key_B in enumerate(x_BN.T + first_B):
        after_PB[place] = after[key_B]
        after[key_B] = place + 1
    return np.ascontiguousarray(after_PB.T)

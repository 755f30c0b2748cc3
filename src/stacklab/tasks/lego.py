"""LEGO: chains of signed assignments, written in any order (after arXiv 2206.04301)."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets, target_last
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import hit_rate, most_frequent
from stacklab.tasks.parts.sampling import Order, distinct, interleaved, pick
from stacklab.tasks.parts.show import letters
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class Lego(Spec):
    """Clauses such as `b - a`, for b = -a, of several chains that begin at 1; then a variable: is it +1 or -1?

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(Lego(symbols=6, chains=2, clauses=2), "b - a e + f a + 1 f - 1 b"))
    tokens  b - a e + f a + 1 f - 1 b
    targets . . . . . . . . . . . . -

    Variables are all different. With one chain, the last variable would be the product of all signs, without
    following the chain; a second chain prevents that. `order: forward` keeps the clauses of each chain in order.
    Slices: the number of clauses from 1 to the queried variable.
    """

    kind: Literal["lego"] = "lego"
    symbols: int = Field(default=26, gt=0, le=MOST)
    chains: int = Field(default=2, gt=0, le=MOST)
    clauses: int = Field(default=4, ge=2, le=MOST)
    order: Order = "shuffled"

    @model_validator(mode="after")
    def _enough_symbols(self) -> "Lego":
        needed = self.chains * self.clauses
        if needed > self.symbols:
            raise ValueError(
                f"{self.chains} chains x {self.clauses} clauses = {needed} different variables; "
                f"symbols is {self.symbols}"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.symbols + 3

    @property
    def _one(self) -> int:
        return self.symbols

    @property
    def length(self) -> int:
        return 3 * self.chains * self.clauses + 1

    @property
    def makeup(self) -> str:
        return f"{self.chains} chains x {self.clauses} clauses x 3 tokens + the queried variable"

    @property
    def names(self) -> tuple[str, ...]:
        return (*letters(self.symbols), "1", "+", "-")

    @property
    def readout(self) -> Ids:
        return self._one + np.array([1, 2])

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, 3)

    def slices(self) -> dict[int, str]:
        return {clauses: f"clauses={clauses}" for clauses in range(1, self.clauses + 1)}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        drawn = distinct(rng, size, count=self.chains * self.clauses, pool=self.symbols)
        name_BCL = drawn.reshape(size, self.chains, self.clauses)
        minus_BCL = rng.integers(2, size=name_BCL.shape)
        clause_BCL3 = np.empty((*name_BCL.shape, 3), dtype=np.int64)
        clause_BCL3[..., 0], clause_BCL3[..., 1] = name_BCL, self.readout[minus_BCL]
        clause_BCL3[..., 0, 2], clause_BCL3[..., 1:, 2] = self._one, name_BCL[..., :-1]
        order_BE = interleaved(rng, size, chains=self.chains, links=self.clauses, order=self.order)
        clause_BE3 = np.take_along_axis(clause_BCL3.reshape(size, -1, 3), order_BE[:, :, None], axis=1)
        query_B = rng.integers(order_BE.shape[1], size=size)
        tokens_BT = np.concatenate([clause_BE3.reshape(size, -1), pick(drawn, query_B)[:, None]], axis=1)
        value_BE = (np.cumsum(minus_BCL, axis=2) % 2).reshape(size, -1)
        return target_last(tokens_BT, self.readout[pick(value_BE, query_B)], query_B % self.clauses + 1)

    def oracle(self, tokens_BT: Ids) -> Ids:
        plus, minus = self.readout.tolist()
        targets_BT = no_targets(tokens_BT)
        for row, (*clauses, query) in enumerate(tokens_BT.tolist()):
            value = {self._one: plus}
            while query not in value:
                for name, sign, of in zip(clauses[0::3], clauses[1::3], clauses[2::3], strict=True):
                    if of in value:
                        value[name] = plus if sign == value[of] else minus
            targets_BT[row, -1] = value[query]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """`sign of its clause` reads one clause; `product of all signs` reads all and follows none."""
        name_BE, sign_BE = batch.tokens_BT[:, 0:-1:3], batch.tokens_BT[:, 1:-1:3]
        own_B = sign_BE[name_BE == batch.tokens_BT[:, -1:]]
        product_B = self.readout[(sign_BE == self.readout[1]).sum(axis=1) % 2]
        return {
            "most frequent": most_frequent(batch),
            "sign of its clause": hit_rate(batch, np.broadcast_to(own_B[:, None], batch.tokens_BT.shape)),
            "product of all signs": hit_rate(batch, np.broadcast_to(product_B[:, None], batch.tokens_BT.shape)),
        }

"""In-context two-hop, and more hops: chains whose links lie scattered (after Guo et al., arXiv 2502.13913)."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets, target_last
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import hit_rate, most_frequent, one_of
from stacklab.tasks.parts.sampling import Order, distinct, interleaved
from stacklab.tasks.parts.show import letters
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class TwoHop(Spec):
    """Links from node to node of several chains, mixed; then the head of one chain: where does it end?

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(TwoHop(nodes=8, chains=2, hops=2), "c d a b h c b e a"))
    tokens  c d a b h c b e a
    targets . . . . . . . . e

    Nodes are all different. `order: forward` keeps the links of each chain in order, which leaves a second way to
    the answer, from the end back to the head; `shuffled` removes it. Slices: the number of links of the queried chain
    that stand before the link leading to them.
    """

    kind: Literal["two-hop"] = "two-hop"
    nodes: int = Field(default=30, gt=0, le=MOST)
    chains: int = Field(default=3, ge=2, le=MOST)
    hops: int = Field(default=2, ge=1, le=MOST)
    order: Order = "shuffled"

    @model_validator(mode="after")
    def _enough_nodes(self) -> "TwoHop":
        needed = self.chains * (self.hops + 1)
        if needed > self.nodes:
            raise ValueError(
                f"{self.chains} chains x {self.hops + 1} nodes = {needed} different; nodes is {self.nodes}"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.nodes

    @property
    def length(self) -> int:
        return 2 * self.chains * self.hops + 1

    @property
    def makeup(self) -> str:
        return f"{self.chains} chains x {self.hops} links x 2 tokens + the start"

    @property
    def names(self) -> tuple[str, ...]:
        return letters(self.nodes)

    @property
    def readout(self) -> Ids:
        return np.arange(self.nodes)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, 2)

    def slices(self) -> dict[int, str]:
        return {back: f"backward={back}" for back in range(self.hops if self.order == "shuffled" else 1)}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        drawn = distinct(rng, size, count=self.chains * (self.hops + 1), pool=self.nodes)
        node_BCH = drawn.reshape(size, self.chains, self.hops + 1)
        order_BE = interleaved(rng, size, chains=self.chains, links=self.hops, order=self.order)
        tokens_BT = np.empty((size, self.length), dtype=np.int64)
        tokens_BT[:, 0:-1:2] = np.take_along_axis(node_BCH[:, :, :-1].reshape(size, -1), order_BE, axis=1)
        tokens_BT[:, 1:-1:2] = np.take_along_axis(node_BCH[:, :, 1:].reshape(size, -1), order_BE, axis=1)
        tokens_BT[:, -1] = node_BCH[:, 0, 0]  # chains are exchangeable, so asking for the first is no hint
        place_BCH = np.argsort(order_BE, axis=1).reshape(size, self.chains, self.hops)
        backward_B = (np.diff(place_BCH[:, 0], axis=1) < 0).sum(axis=1)
        return target_last(tokens_BT, node_BCH[:, 0, -1], backward_B)

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, (*links, node) in enumerate(tokens_BT.tolist()):
            leads_to = dict(zip(links[0::2], links[1::2], strict=True))
            while node in leads_to:
                node = leads_to[node]
            targets_BT[row, -1] = node
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """`one of the ends` is a node that leads nowhere."""
        source_BE, target_BE = batch.tokens_BT[:, 0:-1:2], batch.tokens_BT[:, 1:-1:2]
        leads_on_BE = (target_BE[:, :, None] == source_BE[:, None, :]).any(axis=2)
        return {
            "most frequent": most_frequent(batch),
            "one of the ends": one_of(batch.targets_BT[:, -1], np.where(leads_on_BE, -1, target_BE)),
            "last node": hit_rate(batch, np.roll(batch.tokens_BT, 1, axis=1)),
        }

"""Pointer chasing: composing listed functions one after the other (after Chen, Peng and Wu, arXiv 2412.02975)."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Items, Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets, target_last
from stacklab.tasks.parts.fields import MOST, Ascending
from stacklab.tasks.parts.guessing import heaviest, hit_rate, most_frequent
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split

Steps = Annotated[Items[Annotated[int, Field(gt=0, le=MOST)]], Field(min_length=1), Ascending]


class PointerChasing(Spec):
    """Functions from one level of points to the next, as pairs; then a point: where on the last level does it lead?

    >>> from stacklab.tasks.parts.show import answered
    >>> task = PointerChasing(functions=2, points=3, steps=(1, 2))
    >>> print(answered(task, "0:2 1:1 0:0 1:0 0:1 1:1 1:1 2:0 1:2 2:2 1:0 2:2 0:2"))
    tokens  0:2 1:1 0:0 1:0 0:1 1:1 1:1 2:0 1:2 2:2 1:0 2:2 0:2
    targets   .   .   .   .   .   .   .   .   .   .   .   . 2:0

    Every value of every function is drawn independently, so a value may come twice and a function cannot be inverted.
    `order: forward` writes the first function first. Under a causal mask a pair then sees only pairs that lead to it,
    several or none, and cannot be shortened before the point is known: one step at a time. `reversed` writes the last
    function first, so pairs can be joined in advance and the joined ones again. The pairs of a function are shuffled.
    Slices: how many functions lie between the point and the last level, drawn from `steps`.
    """

    kind: Literal["pointer-chasing"] = "pointer-chasing"
    functions: int = Field(default=3, gt=0, le=MOST)
    points: int = Field(default=8, ge=2, le=MOST)
    steps: Steps = (1, 2, 3)
    order: Literal["forward", "reversed"] = "forward"

    @model_validator(mode="after")
    def _enough_functions(self) -> "PointerChasing":
        if self.steps[-1] > self.functions:
            raise ValueError(f"{self.steps[-1]} steps need {self.steps[-1]} functions; functions is {self.functions}")
        return self

    @property
    def vocab_size(self) -> int:
        return (self.functions + 1) * self.points

    @property
    def length(self) -> int:
        return 2 * self.functions * self.points + 1

    @property
    def makeup(self) -> str:
        return f"{self.functions} functions x {self.points} points x 2 tokens + the start"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{level}:{point}" for level in range(self.functions + 1) for point in range(self.points))

    @property
    def readout(self) -> Ids:
        return np.arange(self.functions * self.points, self.vocab_size)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, 2)

    def slices(self) -> dict[int, str]:
        return {steps: f"steps={steps}" for steps in self.steps}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        level_F = np.arange(self.functions)[:, None] * self.points
        value_BFP = rng.integers(self.points, size=(size, self.functions, self.points)) + level_F + self.points
        source_BFP = rng.permuted(np.tile(np.arange(self.points), (size, self.functions, 1)), axis=2) + level_F
        end_BFP = np.take_along_axis(value_BFP, source_BFP - level_F, axis=2)
        if self.order == "reversed":
            source_BFP, end_BFP = source_BFP[:, ::-1], end_BFP[:, ::-1]
        steps_B = np.array(self.steps)[rng.integers(len(self.steps), size=size)]
        start_B = rng.integers(self.points, size=size) + (self.functions - steps_B) * self.points
        tokens_BT = np.empty((size, self.length), dtype=np.int64)
        tokens_BT[:, 0:-1:2], tokens_BT[:, 1:-1:2] = source_BFP.reshape(size, -1), end_BFP.reshape(size, -1)
        tokens_BT[:, -1] = start_B
        return target_last(tokens_BT, self._follow(value_BFP.reshape(size, -1), start_B, steps_B), steps_B)

    def _follow(self, value_BN: Ids, start_B: Ids, steps_B: Ids) -> Ids:
        rows, place_B = np.arange(len(start_B)), start_B
        for taken in range(self.steps[-1]):
            on_B = taken < steps_B
            place_B = np.where(on_B, value_BN[rows, np.where(on_B, place_B, 0)], place_B)
        return place_B

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, (*pairs, point) in enumerate(tokens_BT.tolist()):
            leads_to = dict(zip(pairs[0::2], pairs[1::2], strict=True))
            while point in leads_to:
                point = leads_to[point]
            targets_BT[row, -1] = point
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """`commonest end`: the point of the last level to which the most pairs lead."""
        count_NP = (batch.tokens_BT[:, :-1, None] == self.readout).sum(axis=1)
        return {
            "most frequent": most_frequent(batch),
            "commonest end": heaviest(batch.targets_BT[:, -1] - self.readout[0], count_NP),
            "last point": hit_rate(batch, np.roll(batch.tokens_BT, 1, axis=1)),
        }

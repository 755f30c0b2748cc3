"""What a construction is built for and held against: a task, or a single operation."""

from typing import Protocol

import numpy as np

from stacklab.tasks.batch import Ids, TaskBatch
from stacklab.tasks.protocol import Layout, Split


class Exercise(Protocol):
    """The part of SyntheticTask (stacklab.tasks.protocol) that is needed here; all tasks have it."""

    @property
    def kind(self) -> str: ...

    @property
    def vocab_size(self) -> int: ...

    @property
    def length(self) -> int: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def splits(self) -> tuple[Split, ...]: ...

    @property
    def layout(self) -> Layout: ...

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch: ...

    def oracle(self, tokens_BT: Ids) -> Ids: ...

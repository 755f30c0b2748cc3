"""What a run trains and is measured on: text or a task."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stacklab.model.transformer import Transformer
from stacklab.train.loop import Batch


class Feed(Protocol):
    @property
    def facts(self) -> dict[str, Any]:
        """What provenance says of the data."""

    @property
    def probe_BT(self) -> NDArray[np.int64]:
        """Ids of the train probe to read."""

    def batch(self, step: int) -> Batch:
        """A function of the run's seed and the step, and of nothing that an arm may change beside the data."""

    def measure(self, model: Transformer) -> dict[str, float]:
        """Losses and accuracies on the fixed sets, without dropout."""

    def answer(self, model: Transformer, max_tokens: int) -> dict[str, float]:
        """Accuracy on held-out problems that are answered in words; empty where there are none."""

    def samples(self, model: Transformer) -> list[dict[str, Any]]:
        """Texts to be looked at."""

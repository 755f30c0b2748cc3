"""The data of a run, for training and evaluation: text or a task."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stacklab.data.prepared import load_prepared, prepared_folder
from stacklab.model.transformer import Transformer
from stacklab.run.feeds.task import TaskFeed
from stacklab.run.feeds.text import TextFeed
from stacklab.run.spec import RunSpec
from stacklab.tasks.data import TaskData
from stacklab.train.loop import Batch


class Feed(Protocol):
    """Batches to train on, and the fixed sets that are evaluated."""

    @property
    def facts(self) -> dict[str, Any]:
        """Description of the data for provenance."""

    @property
    def probe_BT(self) -> NDArray[np.int64]:
        """Input ids [B, T] of the train probe."""

    def batch(self, step: int) -> Batch:
        """The batch of a step. It depends on the data, the run's seed and the step alone, not on the model."""

    def measure(self, model: Transformer) -> dict[str, float]:
        """Losses and accuracies on the fixed sets, without dropout."""

    def answer(self, model: Transformer, max_tokens: int) -> dict[str, float]:
        """Accuracy on held-out problems, answered by generated text; empty where there are none."""

    def samples(self, model: Transformer) -> list[dict[str, Any]]:
        """Samples of generated text."""


def open_feed(spec: RunSpec, *, cache: Path) -> Feed:
    """The feed of a run. Raises DataError where a text's prepared data are missing or damaged."""
    if isinstance(spec.data, TaskData):
        return TaskFeed(spec, spec.data)
    return TextFeed(spec, load_prepared(prepared_folder(cache, spec.data_fingerprint)))

"""The feed of a synthetic task: fresh sequences at every step, and fixed sets for losses and accuracies."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacklab.base.errors import DataError
from stacklab.base.streams import numpy_stream
from stacklab.data.batches import batch_hash
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX
from stacklab.model.transformer import Transformer
from stacklab.run.resolve_data import fixed_set, slices_of, task_facts
from stacklab.run.spec import RunSpec
from stacklab.tasks.data import TaskData
from stacklab.train.evaluate import Scores, stacked_scores, target_scores
from stacklab.train.loop import Batch
from stacklab.train.replicas import Replicas


class TaskFeed:
    """Batches and fixed sets of a task. Sequences depend on the run's seed and the step, never on the model."""

    def __init__(self, spec: RunSpec, data: TaskData) -> None:
        self.spec, self.task, self.data = spec, data.task, data
        self.sets = {name: fixed_set(data, name) for name in ("train_probe", spec.evaluate.split)}

    @property
    def facts(self) -> dict[str, Any]:
        return task_facts(self.data)

    @property
    def probe_BT(self) -> NDArray[np.int64]:
        return self.sets["train_probe"].tokens_BT

    @property
    def probe_positions_BT(self) -> None:
        return None

    def batch(self, step: int) -> Batch:
        rng = numpy_stream(self.spec.seed, "task", "train", step)
        drawn = self.task.draw(rng, self.spec.train.batch_size, step=step)
        target_mask_BT = drawn.target_mask_BT
        if not target_mask_BT.any():
            raise DataError(f"step {step}: a batch of {len(drawn.tokens_BT)} has no target; raise train.batch_size")
        both = np.stack((drawn.tokens_BT, drawn.targets_BT))
        return Batch(drawn.tokens_BT, np.where(target_mask_BT, drawn.targets_BT, IGNORE_INDEX), batch_hash(both))

    def measure(self, model: Transformer) -> dict[str, float]:
        return self._summary(
            {
                name: target_scores(model, drawn.tokens_BT, drawn.targets_BT, target_mask_BT=drawn.target_mask_BT)
                for name, drawn in self.sets.items()
            }
        )

    def measure_stack(self, replicas: Replicas) -> list[dict[str, float]]:
        scores = {
            name: stacked_scores(replicas, drawn.tokens_BT, drawn.targets_BT, target_mask_BT=drawn.target_mask_BT)
            for name, drawn in self.sets.items()
        }
        places = range(len(replicas.trainers))
        return [self._summary({name: of_set[place] for name, of_set in scores.items()}) for place in places]

    def _summary(self, scores: Mapping[str, Scores]) -> dict[str, float]:
        """Per set: mean loss over the targets, and accuracy over the scored ones, also by slice."""
        metrics: dict[str, float] = {}
        for name, drawn in self.sets.items():
            loss_N, right_BT = scores[name]
            metrics[f"{name}.loss"] = float(loss_N.mean())
            metrics[f"{name}.accuracy"] = float(right_BT[drawn.scored_BT].mean())
            for number, part in slices_of(self.data, drawn).items():
                metrics[f"{name}.accuracy.{part}"] = float(right_BT[drawn.slice_BT == number].mean())
        return metrics

    def answer(self, model: Transformer, max_tokens: int) -> dict[str, float]:
        return {}

    def samples(self, model: Transformer) -> list[dict[str, Any]]:
        return []


STEPS = 8
"""Steps that are drawn at a time."""


class Prefetch:
    """`get_batch`, called for several steps in a row: small draws are twice as fast when their code and data are warm.

    last: the number of steps of the run, beyond which nothing is drawn.
    """

    def __init__(self, get_batch: Callable[[int], Batch], *, last: int) -> None:
        self._get_batch, self._last = get_batch, last
        self._drawn: dict[int, Batch] = {}

    def __call__(self, step: int) -> Batch:
        if step not in self._drawn:
            steps = range(step, min(step + STEPS, self._last))
            self._drawn = {number: self._get_batch(number) for number in steps}
        return self._drawn.pop(step)

"""The data of a run, for training and evaluation: text or a task."""

from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stacklab.base.errors import DataError
from stacklab.data.batches import batch_hash, batch_indices, probe_indices
from stacklab.data.blocks import Blocks
from stacklab.data.novelty import novelties
from stacklab.data.prepared import PreparedData, bits_per_byte, load_prepared, prepared_folder
from stacklab.data.procedural.corpus import is_correct
from stacklab.model.generation.decode import generate
from stacklab.model.generation.sampling_spec import SamplingSpec
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX
from stacklab.model.transformer import Transformer
from stacklab.run.feeds.task import TaskFeed
from stacklab.run.spec import RunSpec
from stacklab.tasks.data import TaskData
from stacklab.train.evaluate import Question, answer_accuracy, mean_loss, stacked_mean_loss
from stacklab.train.loop import Batch
from stacklab.train.replicas import Replicas
from stacklab.train.step import Sequences


class TextFeed:
    """The blocks of a prepared corpus."""

    def __init__(self, spec: RunSpec, data: PreparedData) -> None:
        self.spec, self.data = spec, data
        blocks = data.held_out(spec.evaluate.split)
        probed = probe_indices(data, count=spec.evaluate.train_probe_blocks)
        self.probe, _ = sequences(data.train, probed)
        self.held_out, _ = sequences(blocks, np.arange(blocks.num_blocks))
        for fixed, what, cure in (
            (self.probe, "train probe", "evaluate.train_probe_blocks"),
            (self.held_out, f"{spec.evaluate.split} split", f"data.{spec.evaluate.split}_fraction"),
        ):
            if not (fixed.targets != IGNORE_INDEX).any():
                raise DataError(f"the blocks of the {what} have no target; raise {cure}")
        self.bytes_per_token = blocks.bytes_per_token
        self._check_batches()

    @property
    def facts(self) -> dict[str, Any]:
        return self.data.manifest

    @property
    def probe_BT(self) -> NDArray[np.int64]:
        return self.probe.inputs

    @property
    def probe_positions_BT(self) -> NDArray[np.int64] | None:
        return self.probe.positions

    def _check_batches(self) -> None:
        """Raises DataError for a step whose batch will have no target, before any is trained on."""
        blocks, size = self.data.train, self.spec.train.batch_size
        if blocks.cover.answers is None:
            return
        for step in range(self.spec.train.steps):
            kept = blocks.targets(self._indices(step))
            if kept is not None and not kept.any():
                raise DataError(f"step {step}: a batch of {size} has no target; raise train.batch_size")

    def _indices(self, step: int) -> NDArray[np.int64]:
        num_blocks = self.data.train.num_blocks
        return batch_indices(self.spec.seed, step, batch_size=self.spec.train.batch_size, num_blocks=num_blocks)

    def batch(self, step: int) -> Batch:
        drawn, tokens_BT = sequences(self.data.train, self._indices(step))
        return Batch(drawn.inputs, drawn.targets, batch_hash(tokens_BT), drawn.positions)

    def measure(self, model: Transformer) -> dict[str, float]:
        rows = self.spec.train.loss_chunk_rows
        return self._summary(*(mean_loss(model, fixed, chunk_rows=rows) for fixed in (self.probe, self.held_out)))

    def measure_stack(self, replicas: Replicas) -> list[dict[str, float]]:
        rows = self.spec.train.loss_chunk_rows
        losses = [stacked_mean_loss(replicas, fixed, chunk_rows=rows) for fixed in (self.probe, self.held_out)]
        return [self._summary(*of_replica) for of_replica in zip(*losses, strict=True)]

    def _summary(self, probe_loss: float, loss: float) -> dict[str, float]:
        split = self.spec.evaluate.split
        return {
            "train_probe.loss": probe_loss,
            f"{split}.loss": loss,
            f"{split}.bits_per_byte": bits_per_byte(loss, self.bytes_per_token),
        }

    def answer(self, model: Transformer, max_tokens: int) -> dict[str, float]:
        problems = questions(self.data, per_hops=self.spec.evaluate.problems)
        return answer_accuracy(model, problems, end_id=self.data.end_id, max_tokens=max_tokens)

    def samples(self, model: Transformer) -> list[dict[str, Any]]:
        spec = self.spec.sample
        prompts = [self.data.encode(prompt)[: self.spec.model.context_length - 1] for prompt in spec.prompts]
        sampling = SamplingSpec(temperature=spec.temperature, seed=self.spec.seed)
        texts = generate(model, prompts, max_tokens=spec.tokens, end_id=self.data.end_id, sampling=sampling)
        ids = [text.ids for text in texts]
        copied = novelties(ids, self.data.train.stream, decode=self.data.decode) if ids else []
        return [
            {"prompt": prompt, "text": self.data.decode(own), "novelty": novelty.dump()}
            for prompt, own, novelty in zip(spec.prompts, ids, copied, strict=True)
        ]


def sequences(blocks: Blocks, indices: NDArray[np.int64]) -> tuple[Sequences, NDArray[np.int64]]:
    """Blocks with the targets and positions that the data's settings name, and their tokens [len(indices), T + 1]."""
    tokens_BT, mask_BT = blocks.get(indices), blocks.targets(indices)
    if mask_BT is None:
        return Sequences.of_blocks(tokens_BT), tokens_BT
    targets_BT = np.where(mask_BT, tokens_BT[:, 1:], IGNORE_INDEX)
    return Sequences(tokens_BT[:, :-1], targets_BT, blocks.positions(indices)), tokens_BT


def questions(data: PreparedData, *, per_hops: int) -> list[Question]:
    """The first `per_hops` problems of each number of hops in the validation split; the same for every run.

    Problems of a corpus that does not count hops are one group.
    """
    counts: dict[int | None, int] = {}
    chosen = []
    for problem in data.problems:
        if counts.get(problem.hops, 0) < per_hops:
            counts[problem.hops] = counts.get(problem.hops, 0) + 1
            check = partial(_is_correct, data, problem.answer)
            chosen.append(Question(data.encode(problem.prompt_text), problem.hops, check))
    return chosen


def _is_correct(data: PreparedData, answer: str, ids: list[int]) -> bool:
    return is_correct(data.decode(ids), answer)


class Feed(Protocol):
    """Batches to train on, and the fixed sets that are evaluated."""

    @property
    def facts(self) -> dict[str, Any]:
        """Description of the data for provenance."""

    @property
    def probe_BT(self) -> NDArray[np.int64]:
        """Input ids [B, T] of the train probe."""

    @property
    def probe_positions_BT(self) -> NDArray[np.int64] | None:
        """Their positions in their records, where these are packed as documents."""

    def batch(self, step: int) -> Batch:
        """The batch of a step. It depends on the data, the run's seed and the step alone, not on the model."""

    def measure(self, model: Transformer) -> dict[str, float]:
        """Losses and accuracies on the fixed sets, without dropout."""

    def measure_stack(self, replicas: Replicas) -> list[dict[str, float]]:
        """`measure` of every replica of runs with the same data."""

    def answer(self, model: Transformer, max_tokens: int) -> dict[str, float]:
        """Accuracy on held-out problems, answered by generated text; empty where there are none."""

    def samples(self, model: Transformer) -> list[dict[str, Any]]:
        """Samples of generated text."""


def open_feed(spec: RunSpec, *, cache: Path) -> Feed:
    """The feed of a run. Raises DataError where a text's prepared data are missing or damaged."""
    if isinstance(spec.data, TaskData):
        return TaskFeed(spec, spec.data)
    return TextFeed(spec, load_prepared(prepared_folder(cache, spec.data_fingerprint)))

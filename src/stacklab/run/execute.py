"""Executes a run: the only place where data, model and training are wired together; and its final values."""

import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from stacklab.base.canon import fingerprint
from stacklab.base.errors import BusyError, CheckpointError, DataError
from stacklab.base.files import read_jsonl, read_record, read_text, write_json
from stacklab.base.locks import exclusive
from stacklab.model.init import build
from stacklab.run.environment import prepare_device, prepare_process, provenance
from stacklab.run.feeds.feed import open_feed
from stacklab.run.metrics import describe
from stacklab.run.paths import RunPaths, out_of
from stacklab.run.ranks.launch import execute_on_ranks
from stacklab.run.recorder import BestWeights, FolderRecorder
from stacklab.run.spec import RunSpec
from stacklab.run.store import forget_failure, read_spec, read_status
from stacklab.run.verify import HASHES, hashes
from stacklab.train.checkpoint import RETRAIN, load_checkpoint, save_checkpoint, save_weights
from stacklab.train.checkpoint_metadata import read_metadata
from stacklab.train.device import pick_device
from stacklab.train.distributed import ALONE, World
from stacklab.train.evaluate import perplexity
from stacklab.train.loop import LoopCallbacks, Outcome, Recorder, train
from stacklab.train.schedule import solved, solved_at
from stacklab.train.start import load_start
from stacklab.train.step import Trainer


def execute(folder: Path, *, threads: int, stop: Callable[[], bool] = lambda: False, ranks: int = 1) -> str:
    """Execute the run in `folder` to its end, from its last checkpoint if it has one. Does nothing when it is done.

    Waits while another process executes it. ranks: with more than one, processes that share the batches, each on a card
    of its own; they share the threads. Returns finished, diverged or stopped. Raises CheckpointError for a checkpoint
    that is damaged or of another run, DiskError when the disk is full, SpecError for a batch that the ranks cannot
    share, RunLostError when a rank was killed.
    """
    if ranks > 1:
        return execute_on_ranks(folder, ranks=ranks, threads=threads, stop=stop)
    return execute_first(folder, ALONE, threads=threads, stop=stop)


def execute_first(folder: Path, world: World, *, threads: int, stop: Callable[[], bool]) -> str:
    """`execute` in this process, the first rank of `world`; `follow` is what the others do."""
    paths = RunPaths(folder)
    try:
        with exclusive(folder, what=f"run {folder.name}", give_up=stop):
            if paths.result.exists():
                return read_status(paths)
            spec = read_spec(paths)
            prepare_process(threads)
            outcome = Execution(spec, paths, stop, world).run()
            forget_failure(paths)
            return outcome.kind
    except BusyError:
        # Stopped while another process held the run.
        return "stopped"


class Execution:
    """A run in memory: data, model, trainer and probes of a spec. The constructor writes nothing.

    stacked: whether it is trained in a stack of runs, whose blocks are not compiled.
    """

    def __init__(
        self,
        spec: RunSpec,
        paths: RunPaths,
        stop: Callable[[], bool],
        world: World = ALONE,
        *,
        stacked: bool = False,
    ) -> None:
        self.spec, self.paths, self.stop, self.world, self.stacked = spec, paths, stop, world, stacked
        prepare_device(spec.train)
        self.feed = open_feed(spec, cache=out_of(paths).cache)
        self.model = build(spec.model, seed=spec.seed, device=str(pick_device(spec.train.device)))
        if spec.model.start_from is not None and not paths.checkpoint.exists():
            load_start(self.model, spec.model.start_from, out_of(paths).start)
        train = spec.train.model_copy(update={"compile": "off"}) if stacked else spec.train
        self.trainer = Trainer(self.model, train, spec.seed, world)

    def run(self) -> Outcome:
        start, first_loss = self.begin()
        outcome = self.train(self.loop_callbacks(), self.recorder, start=start, first_loss=first_loss)
        self.end(outcome)
        return outcome

    def train(self, callbacks: LoopCallbacks, recorder: Recorder, *, start: int, first_loss: float | None) -> Outcome:
        """The loop from step `start`, for a rank of any number."""
        if self.trainer.reads_late:
            # A collection on the way would keep the device waiting; what exists now stays to the end.
            gc.collect()
            gc.freeze()
        return train(
            self.trainer,
            callbacks,
            recorder,
            evaluate_every=self.spec.evaluate.every,
            start=start,
            first_loss=first_loss,
        )

    def begin(self) -> tuple[int, float | None]:
        """Open the folder, from its checkpoint if it has one; returns the steps done and the first training loss."""
        start, held = 0, {}
        if self.paths.checkpoint.exists():
            start = load_checkpoint(self.paths.checkpoint, self.trainer, run_id=self.paths.run_id)
            held = read_metadata(self.paths.checkpoint)
        self.recorder = FolderRecorder(
            self.paths, steps=self.spec.train.steps, start=start, every=self.spec.evaluate.every, held=held
        )
        self.best = BestWeights(self.paths, start=start)
        self.recorder.state("preparing", step=start)
        self._write_provenance()
        if start == 0:
            write_json(self.paths.samples, {"before": self.feed.samples(self.model)})
        rows = read_jsonl(self.paths.metrics)
        first_loss = rows[0]["loss"] if rows else None
        self.world.share({"step": start, "first_loss": first_loss, "evals": self.recorder.evals})
        return start, first_loss

    def end(self, outcome: Outcome) -> None:
        """Write the results of a run that has ended, unless it was only stopped."""
        if outcome.kind != "stopped":
            self._finish(outcome)
        self.recorder.state(outcome.kind, step=outcome.step)

    def train_step(self, step: int) -> None:
        """One training step on its batch, to be timed by the caller; nothing is recorded."""
        batch = self.feed.batch(step)
        self.trainer.step(step, *batch.sequences.tensors)

    def loop_callbacks(self) -> LoopCallbacks:
        return LoopCallbacks(
            get_batch=self.feed.batch,
            evaluate=lambda: self.world.share(self.feed.measure(self.model)),
            save_checkpoint=self._save_checkpoint,
            should_stop=lambda: self.world.any(self.stop()),
            is_solved=lambda: solved(self.spec.train.stop, self.recorder.evals),
            evaluated=self._keep_best,
        )

    def _save_checkpoint(self, step: int) -> None:
        save_checkpoint(
            self.paths.checkpoint, self.trainer, run_id=self.paths.run_id, step=step, logs=self.recorder.hashes()
        )
        self.best.saved(step)

    def _keep_best(self, step: int) -> None:
        if self.spec.train.keep_best:
            losses = [row[f"{self.spec.evaluate.split}.loss"] for row in self.recorder.evals]
            self.best.evaluated(
                losses, step=step, save=lambda path: save_weights(path, self.model, run_id=self.paths.run_id)
            )

    def _finish(self, outcome: Outcome) -> None:
        accuracy: dict[str, float] = {}
        if outcome.kind == "finished":
            self.recorder.state("answering", step=outcome.step)
            accuracy = self.feed.answer(self.model, self.spec.evaluate.answer_tokens)
            after = {"after": self.feed.samples(self.model)}
            write_json(self.paths.samples, self._samples() | after)
        save_weights(self.paths.weights, self.model, run_id=self.paths.run_id)
        self.best.saved(outcome.step)
        write_json(self.paths.timing, self._timing())
        result = summarise(outcome, self.paths, accuracy, spec=self.spec)
        write_json(self.paths.result, result | {HASHES: self._hashes(result)})
        self.paths.checkpoint.unlink(missing_ok=True)

    def _samples(self) -> dict[str, Any]:
        try:
            return read_record(self.paths.samples)
        except DataError as error:
            raise DataError(f"{error}; {RETRAIN}") from error

    def _hashes(self, result: dict[str, Any]) -> dict[str, str]:
        """Those that the result holds. Raises CheckpointError for a log that is not as this run wrote it."""
        held = hashes(self.paths, result)
        for name, written in self.recorder.hashes().items():
            if held[name] != written:
                raise CheckpointError(f"{self.paths.folder / name}.jsonl: edited while the run trained; {RETRAIN}")
        return held

    def _timing(self) -> dict[str, float | None]:
        rows = read_jsonl(self.paths.timing_rows)
        tokens = sum(row["tokens"] for row in rows)
        seconds = self.recorder.train_seconds
        # The first steps warm caches and allocators, so the median is reported.
        by_cost = sorted(row["seconds"] for row in rows)
        return {
            "train_seconds": seconds,
            "tokens_per_second": tokens / seconds if seconds else None,
            "median_step_seconds": by_cost[len(by_cost) // 2] if by_cost else None,
            "peak_memory_bytes": peak_memory(self.trainer.device),
        }

    def _write_provenance(self) -> None:
        drops = self.spec.model.dropout > 0.0 or self.spec.model.attention_dropout > 0.0
        facts = provenance(
            data_manifest=self.feed.facts,
            choice=self.trainer.choice,
            train=self.spec.train,
            world_size=self.world.size,
            stacked=self.stacked and drops,
        )
        write_json(self.paths.provenance, facts)


def peak_memory(device: torch.device) -> int:
    """Peak bytes of this process, or those that it allocated on a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():
        # Linux lets ru_maxrss start with the peak of the process that started this one; VmHWM is of this one alone.
        rows = dict(line.split(":", 1) for line in read_text(status).splitlines())
        return int(rows["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def summarise(outcome: Outcome, paths: RunPaths, accuracy: dict[str, float], *, spec: RunSpec) -> dict[str, Any]:
    """Status, last and best evaluation, last training loss, accuracy. Nothing here depends on the clock.

    A diverged run keeps its curve but has no final metrics: they would not be those of the trained model. Raises
    DataError for a metric that is not in the table of metrics.
    """
    evals, steps, split = read_jsonl(paths.evals), read_jsonl(paths.metrics), spec.evaluate.split
    metrics: dict[str, float] = {}
    if outcome.kind == "finished":
        final = {name: value for name, value in evals[-1].items() if name != "step"}
        best = min(evals, key=lambda row: row[f"{split}.loss"])
        perplexities = {f"{name}.perplexity": perplexity(final[f"{name}.loss"]) for name in ("train_probe", split)}
        metrics = final | {
            **{name: value for name, value in perplexities.items() if value is not None},
            f"{split}.best_loss": best[f"{split}.loss"],
            f"{split}.best_step": best["step"],
            **({"train.last_batch_loss": steps[-1]["loss"]} if steps else {}),
            **accuracy,
        }
        if spec.train.stop is not None and (first := solved_at(spec.train.stop, evals)) is not None:
            metrics["steps_to_solve"] = first
    for name in metrics:
        describe(name)  # Only metrics of the table can be claimed and shown.
    # One hash of the whole order of batches, by which paired runs are checked for equal batches.
    batches = fingerprint([row["batch"] for row in steps])
    marks = _marks(steps, every=spec.evaluate.every) if spec.train.stop else {}
    return {
        "status": outcome.kind,
        "reason": outcome.reason,
        "step": outcome.step,
        "batches": batches,
        "marks": marks,
        "metrics": metrics,
    }


def _marks(steps: list[dict[str, Any]], *, every: int) -> dict[str, str]:
    """Step -> hash of the order of batches up to it, so that runs which stopped at different steps can be compared."""
    chain, marks = "", {}
    for row in steps:
        chain = fingerprint([chain, row["batch"]])
        if row["step"] % every == 0:
            marks[str(row["step"])] = chain
    return marks

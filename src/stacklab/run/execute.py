"""RunSpec -> run folder: the only place where data, model and training are wired together."""

import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from stacklab.base.errors import BusyError
from stacklab.base.files import read_json, read_jsonl, write_json
from stacklab.base.locks import exclusive
from stacklab.base.streams import stream_seed
from stacklab.data.batches import batch_hash, batch_indices
from stacklab.data.prepared import bits_per_byte, load_prepared, prepared_folder
from stacklab.data.probes import probe_indices
from stacklab.model.decode import generate
from stacklab.model.init import build
from stacklab.run.environment import prepare_process
from stacklab.run.paths import RunPaths, out_of
from stacklab.run.provenance import provenance
from stacklab.run.questions import questions
from stacklab.run.recorder import FolderRecorder
from stacklab.run.result import summarise
from stacklab.run.spec import RunSpec
from stacklab.run.store import read_spec
from stacklab.train.checkpoint import load_checkpoint, save_checkpoint, save_weights
from stacklab.train.evaluate import answer_accuracy, mean_loss
from stacklab.train.loop import Batch, Course, Outcome, train
from stacklab.train.precision import pick_device
from stacklab.train.step import Trainer


def execute(folder: Path, *, threads: int, stop: Callable[[], bool] = lambda: False) -> str:
    """Bring the run in `folder` to its end, from its last checkpoint if it has one. Does nothing when it is done.

    Waits while another process is at it. Returns finished, diverged or stopped. Raises CheckpointError for a checkpoint
    that is damaged or of another run, DiskError when the disk is full.
    """
    paths = RunPaths(folder)
    try:
        with exclusive(folder, what=f"run {folder.name}", give_up=stop):
            if paths.result.exists():
                return str(read_json(paths.result)["status"])
            prepare_process(threads)
            outcome = Execution(read_spec(paths), paths, stop).run()
            paths.error.unlink(missing_ok=True)
            return outcome.kind
    except BusyError:
        # Told to stop while another process held the run.
        return "stopped"


class Execution:
    """A run in memory: data, model, trainer and probes of a spec. Making one writes nothing."""

    def __init__(self, spec: RunSpec, paths: RunPaths, stop: Callable[[], bool]) -> None:
        self.spec, self.paths, self.stop = spec, paths, stop
        self.data = load_prepared(prepared_folder(out_of(paths).cache, spec.data_fingerprint))
        self.model = build(spec.model, seed=spec.seed, device=str(pick_device()))
        self.trainer = Trainer(self.model, spec.train, spec.seed)
        self.probe = self.data.train.get(probe_indices(self.data, count=spec.evaluate.train_probe_blocks))
        blocks = self.data.held_out(spec.evaluate.split)
        self.held_out, self.bytes_per_token = blocks.get(np.arange(blocks.num_blocks)), blocks.bytes_per_token

    def run(self) -> Outcome:
        start = 0
        if self.paths.checkpoint.exists():
            start = load_checkpoint(self.paths.checkpoint, self.trainer, run_id=self.paths.run_id)
        self.recorder = FolderRecorder(self.paths, steps=self.spec.train.steps, start=start)
        self.recorder.state("preparing", step=start)
        self._write_provenance()
        if start == 0:
            write_json(self.paths.samples, {"before": self.samples()})
        rows = read_jsonl(self.paths.metrics)
        first_loss = rows[0]["loss"] if rows else None
        outcome = train(self.trainer, self._course(), self.recorder, start=start, first_loss=first_loss)
        if outcome.kind != "stopped":
            self._finish(outcome)
        self.recorder.state(outcome.kind, step=outcome.step)
        return outcome

    def _course(self) -> Course:
        return Course(
            batch=self.batch,
            evaluate=self.evaluate,
            save=lambda step: save_checkpoint(self.paths.checkpoint, self.trainer, run_id=self.paths.run_id, step=step),
            stop=self.stop,
            evaluate_every=self.spec.evaluate.every,
        )

    def batch(self, step: int) -> Batch:
        indices = batch_indices(
            self.spec.seed, step, batch_size=self.spec.train.batch_size, num_blocks=self.data.train.num_blocks
        )
        tokens = self.data.train.get(indices)
        return Batch(tokens, batch_hash(tokens))

    def evaluate(self) -> dict[str, float]:
        rows, split = self.spec.train.loss_chunk_rows, self.spec.evaluate.split
        loss = mean_loss(self.model, self.held_out, chunk_rows=rows)
        return {
            "train_probe.loss": mean_loss(self.model, self.probe, chunk_rows=rows),
            f"{split}.loss": loss,
            f"{split}.bits_per_byte": bits_per_byte(loss, self.bytes_per_token),
        }

    def _finish(self, outcome: Outcome) -> None:
        accuracy: dict[str, float] = {}
        if outcome.kind == "finished":
            self.recorder.state("answering", step=outcome.step)
            accuracy = self.answer(self.spec.evaluate.answer_tokens)
            write_json(self.paths.samples, read_json(self.paths.samples) | {"after": self.samples()})
        save_weights(self.paths.weights, self.model, run_id=self.paths.run_id)
        write_json(self.paths.timing, self._timing())
        write_json(self.paths.result, summarise(outcome, self.paths, accuracy, split=self.spec.evaluate.split))
        self.paths.checkpoint.unlink(missing_ok=True)

    def answer(self, max_tokens: int) -> dict[str, float]:
        """Accuracy on held-out problems, with answers of at most `max_tokens`."""
        asked = questions(self.data, per_hops=self.spec.evaluate.problems)
        return answer_accuracy(self.model, asked, end_id=self.data.end_id, max_tokens=max_tokens)

    def samples(self) -> list[dict[str, str]]:
        spec = self.spec.sample
        rows = []
        for index, prompt in enumerate(spec.prompts):
            ids = self.data.encode(prompt)[: self.spec.model.context_length - 1]
            seed = stream_seed(self.spec.seed, "sampling", index)
            (new,) = generate(
                self.model,
                [ids],
                max_tokens=spec.tokens,
                end_id=self.data.end_id,
                temperature=spec.temperature,
                seed=seed,
            )
            rows.append({"prompt": prompt, "text": self.data.decode(new)})
        return rows

    def _timing(self) -> dict[str, float | None]:
        rows = read_jsonl(self.paths.timing_rows)
        tokens = sum(row["tokens"] for row in rows)
        seconds = self.recorder.train_seconds
        # The first steps warm caches and allocators; the median is what a step costs.
        by_cost = sorted(row["seconds"] for row in rows)
        return {
            "train_seconds": seconds,
            "tokens_per_second": tokens / seconds if seconds else None,
            "median_step_seconds": by_cost[len(by_cost) // 2] if by_cost else None,
            "peak_memory_bytes": peak_memory(),
        }

    def _write_provenance(self) -> None:
        facts = provenance(
            data_manifest=self.data.manifest, device=str(self.trainer.device), precision=self.trainer.precision
        )
        write_json(self.paths.provenance, facts)


def peak_memory() -> int:
    """Peak bytes of this process, or of the GPU when there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        # Linux lets ru_maxrss start with the peak of the process that started this one; VmHWM is of this one alone.
        rows = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(rows["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

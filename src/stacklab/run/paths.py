"""Every file of an output folder, named once.

<out>/cache/data/<fingerprint>/   prepared data (see stacklab.data)
<out>/cache/matches/<hash>.json   controls matched by measured time (see stacklab.study.planning.match_step_time)
<out>/cache/start/<name>.safetensors  weights from which runs start (see stacklab.train.start)
<out>/cache/attention/<hash>.json  attention layers measured alone (see stacklab.study.planning.attention_cost)
<out>/runs/<run id>/              one run, shared by all studies that contain it
    spec.json                     the RunSpec; its fingerprint is the folder's name
    provenance.json               versions, hardware, threads, hashes
    metrics.jsonl                 one row per training step; equal for equal runs
    evals.jsonl                   one row per evaluation; equal for equal runs
    timing.jsonl                  seconds, tokens per second; differs from run to run
    samples.json                  samples before and after training, and their overlap with the training split
    checkpoint.safetensors        for resuming; deleted at the end
    model.safetensors             the final weights
    best-<step>.safetensors       with train.keep_best: the weights of the best evaluation, which was after that step
    result.json                   status, final values, hashes of what they rest on; present when the run is done
    timing.json                   total seconds, tokens per second, peak memory
    progress.json                 the live state, written about once a second
    error.json                    the last failure, if the run failed
<out>/models/<name>/              one imported model (see stacklab.exchange.model_folder)
<out>/studies/<study>-<scale>/    one study: plan, ledger, report (see stacklab.study)
<out>/coordinates/<study>-<scale>/  figures and readings of `stacklab coordinates`
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunPaths:
    """The files of a run folder."""

    folder: Path

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def spec(self) -> Path:
        return self.folder / "spec.json"

    @property
    def provenance(self) -> Path:
        return self.folder / "provenance.json"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def evals(self) -> Path:
        return self.folder / "evals.jsonl"

    @property
    def timing_rows(self) -> Path:
        return self.folder / "timing.jsonl"

    @property
    def samples(self) -> Path:
        return self.folder / "samples.json"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    @property
    def weights(self) -> Path:
        return self.folder / "model.safetensors"

    def best(self, step: int) -> Path:
        return self.folder / f"best-{step}.safetensors"

    @property
    def bests(self) -> dict[int, Path]:
        """Step -> weights that were the best after it, in order; the last are the best of all. While a run trains there
        may be two."""
        paths = {path.stem.removeprefix("best-"): path for path in self.folder.glob("best-*.safetensors")}
        return {int(step): paths[step] for step in sorted(filter(str.isdecimal, paths), key=int)}

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    @property
    def timing(self) -> Path:
        return self.folder / "timing.json"

    @property
    def progress(self) -> Path:
        return self.folder / "progress.json"

    @property
    def error(self) -> Path:
        return self.folder / "error.json"


@dataclass(frozen=True)
class OutPaths:
    """The folders of an output folder."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def matches(self) -> Path:
        return self.cache / "matches"

    @property
    def start(self) -> Path:
        return self.cache / "start"

    @property
    def attention(self) -> Path:
        return self.cache / "attention"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def run(self, run_id: str) -> RunPaths:
        return RunPaths(self.runs / run_id)

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def studies(self) -> Path:
        return self.root / "studies"

    def study(self, name: str, scale: str) -> Path:
        return self.studies / f"{name}-{scale}"

    def coordinates(self, study_folder: str) -> Path:
        return self.root / "coordinates" / study_folder


def out_of(run: RunPaths) -> OutPaths:
    """The output folder of a run folder."""
    return OutPaths(run.folder.parent.parent)

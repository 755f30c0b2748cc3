"""Two small studies, their folders when finished and when killed half way, and what must be the same in every run."""

import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from tests.campaign.warm import Ended, Warm

STUDY = """\
name: NAME
title: Ground
question: Does it hold?
knobs: [model.num_heads]
base:
  data: DATA
  model: {d_model: 16, num_layers: 1, num_heads: 1, context_length: 32}
  train: {steps: 12, batch_size: 2, checkpoint_every: 2, keep_best: true, schedule: {warmup_steps: 1}}
  evaluate: {every: 2, problems: 0}
arms:
  one:
    label: one head
  two:
    label: two heads
    change: {model.num_heads: 2}
claims:
  - id: heads
    statement: "{arm} predict better than {against}"
    metric: validation.loss
    arm: two
    against: [one]
    direction: lower
scales:
  smoke: {description: tiny, expected_time: a second, seeds: [1, 2]}
"""
DATA = {
    "text": "{source: {kind: file, path: corpus.jsonl}, tokenizer: {kind: bytes}, block_size: 16, "
    "validation_fraction: 0.2}",
    "task": "{task: {kind: parity, bits: 4}, probe: 8}",
    "arrays": "{task: {kind: arrays, train: a.npz, validation: b.npz}}",
}
CORPUS = "".join(
    json.dumps({"text": f"record {number} of a small corpus, {number**3}."}) + "\n" for number in range(60)
)
SAME = ("spec.json", "metrics.jsonl", "evals.jsonl", "model.safetensors", "best-*.safetensors", "result.json")
"""Files of a run that are the same, bit for bit, however often it was stopped."""


def lay(folder: Path, data: str) -> None:
    """Write the study `data`.yaml, and the corpus, to an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = STUDY.replace("NAME", data).replace("DATA", DATA[data])
    (folder / f"{data}.yaml").write_text(text)
    (folder / "corpus.jsonl").write_text(CORPUS)


def command(data: str, engine: str = "inline") -> list[str]:
    """The command that runs the study. Two workers, so that kills meet runs side by side."""
    workers = [] if engine == "inline" else ["-w", "2"]
    return ["stacklab", "run", f"{data}.yaml", "-o", "o", "-e", engine, *workers]


def digest(out: Path) -> dict[str, str]:
    """Path -> hash of every file that is the same in every run."""
    files = sorted(path for pattern in SAME for path in out.glob(f"runs/*/{pattern}") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}


def finished(out: Path) -> dict[str, str]:
    """The part of `digest` that belongs to runs with a result: what no later event may change."""
    whole = {str(path.parent.relative_to(out)) for path in out.glob("runs/*/result.json")}
    return {path: value for path, value in digest(out).items() if str(Path(path).parent) in whole}


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    return sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))


def whole_facts(out: Path) -> str:
    """The text of all facts of the report."""
    (path,) = out.glob("studies/*/report/facts.json")
    return path.read_text()


def facts(out: Path) -> Any:
    """What the report's numbers and comparisons say, without those of the clock and of memory."""
    whole = json.loads(whole_facts(out))
    arms = {
        arm["name"]: {one["metric"]: one for one in arm["measures"] if not one["metric"].endswith(CLOCKED)}
        for arm in whole["arms"]
    }
    return {"arms": arms, "contrasts": whole["contrasts"], "aggregates": whole["aggregates"]}


CLOCKED = ("_seconds", "_per_second", "_bytes")


def undisturbed(warm: Warm, folder: Path, data: str, *, engine: str = "inline") -> Ended:
    """Run the study to its end in an empty folder."""
    lay(folder, data)
    ended = warm.run(command(data, engine), folder, seconds=300)
    assert ended.code == 0, ended.text
    return ended


def half(warm: Warm, folder: Path, data: str) -> None:
    """Kill the study when one run is finished and the next has a checkpoint."""
    lay(folder, data)
    for _ in range(20):
        pid = warm.start(command(data), folder, seconds=120)
        while not _is_half(folder / "o") and not list(folder.glob("o/studies/*/report")):
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        warm.end()
        if _is_half(folder / "o"):
            return
        shutil.rmtree(folder / "o")
    raise AssertionError("no run could be killed between its first checkpoint and its end")


def _is_half(out: Path) -> bool:
    done = len(list(out.glob("runs/*/result.json")))
    return done == 1 and any(not (path.parent / "result.json").exists() for path in out.glob("runs/*/checkpoint.*"))

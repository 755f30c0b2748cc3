"""A study of two arms whose runs end without training, at losses chosen by number of heads and seed."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from stacklab.api import load_study
from stacklab.base.canon import canonical_json, fingerprint
from stacklab.base.files import read_json, write_json, write_text
from stacklab.report.facts.build import build_facts
from stacklab.report.pages.page import page_facts
from stacklab.report.pages.terminal import verdict_table
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.verify import HASHES, hashes
from stacklab.study.execution.run import Todo, check_seeds_kept, run_plan
from stacklab.study.results.results import StudyResult

HEADS = """\
name: heads
title: Heads
question: Do eight heads predict better than two?
knobs: [model.num_heads]
base:
  data: {source: {kind: file, path: CORPUS}, tokenizer: {kind: bytes}, block_size: 8, validation_fraction: 0.2}
  model: {d_model: 16, num_heads: 4, context_length: 8, num_layers: 1}
  train: {steps: 6, batch_size: 16, schedule: {warmup_steps: 1}}
  evaluate: {every: 3, train_probe_blocks: 2, problems: 0}
arms:
  two: {label: two heads, change: {model.num_heads: 2}}
  eight: {label: eight heads, change: {model.num_heads: 8}}
claims:
  - id: more
    statement: "{arm} predict better than {against}"
    metric: validation.loss
    arm: eight
    against: [two]
    direction: lower
scales:
  smoke: {description: tiny, expected_time: a second, seeds: [1, 2, 3]}
"""
LOSSES = {2: {1: 2.0, 2: 2.1, 3: 2.2}, 8: {1: 2.3, 2: 2.38, 3: 2.52}}
"""Eight heads are worse: the claim is refuted."""


def study_file(folder: Path) -> Path:
    """The study and its corpus, in a folder of their own."""
    corpus, file = folder / "corpus.txt", folder / "heads.yaml"
    corpus.write_text("".join(f"record {number} of a small corpus\n\n" for number in range(40)))
    file.write_text(HEADS.replace("CORPUS", str(corpus)))
    return file


def edit(file: Path, *changes: tuple[str, str]) -> None:
    """Replace texts that occur exactly once."""
    text = file.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)


def end(folder: Path) -> None:
    """The files of a finished run, at the loss of its number of heads and seed; others scatter around 2.4."""
    paths = RunPaths(folder)
    spec = read_json(paths.spec)
    seed, heads = spec["seed"], spec["model"]["num_heads"]
    loss = LOSSES.get(heads, {}).get(seed, 2.4 + 0.01 * (seed % 7) + 0.002 * heads * (seed % 3))
    values = {"train_probe.loss": loss, "validation.loss": loss}
    rows = [{"step": step, "loss": loss, "batch": fingerprint([seed, step])} for step in range(1, 7)]
    write_rows(paths.metrics, rows)
    write_rows(paths.evals, [{"step": step} | values for step in (0, 3, 6)])
    batches = fingerprint([row["batch"] for row in rows])
    result = {"status": "finished", "reason": "", "step": 6, "batches": batches, "marks": {}, "metrics": values}
    write_json(paths.result, result | {HASHES: hashes(paths, result)})


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    write_text(path, "".join(canonical_json(row) + "\n" for row in rows))


def run(file: Path, *, more: int | None = None, ends: Callable[[Path], None] = end, **request: Any) -> StudyResult:
    """What `stacklab run` does, with planted runs; `out` beside the file unless the request names one."""
    study = load_study(str(file), **{"out": file.parent / "out", **request})
    plan = study.plan(more=more)
    check_seeds_kept(plan, study.request)

    def start(todo: Todo) -> None:
        for folder in todo:
            ends(folder)

    return run_plan(plan, study.request.out, {}, start=start)


def shown(result: StudyResult) -> str:
    """What a reader of the terminal sees, on one line; the first screen of the report says each remark as well."""
    console = Console(width=400, record=True, file=StringIO())
    console.print(verdict_table(result))
    text = " ".join(console.export_text().split())
    for line in page_facts(build_facts(result), ())["remarks"]:
        assert f"ledger: {line}" in text
    return text


def folder_of(result: StudyResult, arm: str, seed: int) -> RunPaths:
    (run_id,) = (row.run_id for row in result.rows if (row.arm, row.seed) == (arm, seed))
    return OutPaths(result.out).run(run_id)

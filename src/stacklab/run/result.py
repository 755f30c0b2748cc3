"""The final values of a run, from its rows."""

from typing import Any

from stacklab.base.canon import fingerprint
from stacklab.base.files import read_jsonl
from stacklab.run.metrics import describe
from stacklab.run.paths import RunPaths
from stacklab.run.spec import RunSpec
from stacklab.train.evaluate import perplexity
from stacklab.train.loop import Outcome
from stacklab.train.stop import solved_at


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
        metrics = final | {
            "train_probe.perplexity": perplexity(final["train_probe.loss"]),
            f"{split}.perplexity": perplexity(final[f"{split}.loss"]),
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

"""The final values of a run, from its rows."""

from typing import Any

from stacklab.base.canon import fingerprint
from stacklab.base.files import read_jsonl
from stacklab.data.spec import HeldOut
from stacklab.run.paths import RunPaths
from stacklab.train.evaluate import perplexity
from stacklab.train.loop import Outcome


def summarise(outcome: Outcome, paths: RunPaths, accuracy: dict[str, float], *, split: HeldOut) -> dict[str, Any]:
    """Status, last and best evaluation, last training loss, accuracy. Nothing here depends on the clock.

    A diverged run keeps its curve but has no final metrics: they would not be those of the trained model.
    """
    evals, steps = read_jsonl(paths.evals), read_jsonl(paths.metrics)
    metrics: dict[str, float] = {}
    if outcome.kind == "finished":
        final = {name: value for name, value in evals[-1].items() if name != "step"}
        best = min(evals, key=lambda row: row[f"{split}.loss"])
        metrics = final | {
            "train_probe.perplexity": perplexity(final["train_probe.loss"]),
            f"{split}.perplexity": perplexity(final[f"{split}.loss"]),
            f"{split}.best_loss": best[f"{split}.loss"],
            f"{split}.best_step": best["step"],
            "train.last_batch_loss": steps[-1]["loss"],
            **accuracy,
        }
    # One hash for the whole order of batches: paired runs are checked to have seen the same.
    batches = fingerprint([row["batch"] for row in steps])
    return {
        "status": outcome.kind,
        "reason": outcome.reason,
        "step": outcome.step,
        "batches": batches,
        "metrics": metrics,
    }

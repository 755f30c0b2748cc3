"""A study's folder as a real study leaves it, with curves drawn from a formula instead of trained. No torch."""

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stacklab.study.planning.attention_cost as attending
import stacklab.study.planning.plan as planning
from stacklab.base.canon import canonical_json, fingerprint
from stacklab.base.files import write_json, write_text
from stacklab.base.yamlfile import Places
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.resolve_data import ResolvedData
from stacklab.run.store import create_run
from stacklab.run.verify import HASHES, hashes
from stacklab.study.execution.run import with_attention
from stacklab.study.planning.plan import ArmPlan, Plan, PlannedRun, save_plan
from stacklab.study.planning.tuning import setting_of, tuning_plan
from stacklab.study.results.ledger.write import enter
from stacklab.study.results.results import StudyResult, open_results
from stacklab.study.results.tuning import with_tuned
from stacklab.study.spec.grid import GridSpec, with_arms
from stacklab.study.spec.request import StudyRequest
from stacklab.study.spec.study import StudySpec

MakeStudy = Callable[..., StudyResult]

MANIFEST: dict[str, Any] = {
    "format": 1,
    "fingerprint": "5eedda7a5eedda7a",
    "source": {"kind": "procedural-cot", "name": "procedural-cot", "records": 2000},
    "vocab_size": 512,
    "end_id": 256,
    "tokenizer": {"kind": "bpe", "name": "bpe-512", "hash": "0a1b2c3d4e5f6071", "vocab_size": 512},
    "records": {"read": 2000, "empty": 0, "duplicates": 25, "kept": 1975, "train": 1876, "validation": 99},
    "splits": {
        "train": {
            "records": 1876,
            "tokens": 105_000,
            "text_bytes": 391_000,
            "bytes_per_token": 3.72,
            "blocks": 820,
            "tokens_per_epoch": 104_960,
            "ids_used": 497,
            "share_of_ids_used": 0.9707,
        },
        "validation": {
            "records": 99,
            "tokens": 5_540,
            "text_bytes": 20_600,
            "bytes_per_token": 3.72,
            "blocks": 43,
            "tokens_per_epoch": 5_504,
            "ids_used": 402,
            "share_of_ids_used": 0.785,
        },
    },
    "problems": 99,
    "warnings": ["3 records spell a marker such as <|endoftext|>; it is encoded as text"],
    "files": {"train.bin": {"bytes": 210_000, "sha256": "ab" * 32}},
}

ARMS: dict[str, dict[str, Any]] = {
    "layers-1": {"label": "1 layer", "change": {"model.num_layers": 1}},
    "layers-2": {"label": "2 layers", "change": {"model.num_layers": 2}},
    "layers-4": {"label": "4 layers", "change": {"model.num_layers": 4}},
    "layers-8": {"label": "8 layers", "change": {"model.num_layers": 8}},
    "layers-12": {"label": "12 layers", "change": {"model.num_layers": 12}},
    "wide-1-parameters": {
        "label": "1 layer, equal parameters",
        "change": {"model.num_layers": 1},
        "match": {"quantity": "total_parameters", "to": "layers-12", "knob": "model.d_model", "tolerance": 0.03},
        "consequences": ["model.d_model", "model.d_ff"],
    },
    "wide-1-flops": {
        "label": "1 layer, equal FLOPs",
        "change": {"model.num_layers": 1},
        "match": {"quantity": "flops_per_token", "to": "layers-12", "knob": "model.d_model", "tolerance": 0.03},
        "consequences": ["model.d_model", "model.d_ff"],
    },
}
AGAINST = ["layers-1", "wide-1-parameters", "wide-1-flops"]
CLAIMS: list[dict[str, Any]] = [
    {
        "id": "train-probe",
        "statement": "{arm} fit the training text better than {against}",
        "metric": "train_probe.loss",
        "direction": "lower",
    },
    {
        "id": "validation",
        "statement": "{arm} predict unseen text better than {against} at the end of training",
        "metric": "validation.loss",
        "direction": "lower",
    },
    {
        "id": "best-validation-tied",
        "statement": "{arm} and {against} reach the same best validation loss (within 0.05 nats)",
        "metric": "validation.best_loss",
        "direction": "equivalent",
        "margin": 0.05,
    },
    {
        "id": "accuracy",
        "statement": "{arm} solve more held-out problems than {against}",
        "metric": "accuracy",
        "direction": "higher",
    },
]
HOPS = ["accuracy.hops_1", "accuracy.hops_2", "accuracy.hops_4"]
SMOKE = ["layers-1", "layers-12", "wide-1-parameters"]


def study_tree(*, steps: int = 80, every: int = 20) -> dict[str, Any]:
    """A study as its file would state it; tests change the tree before it is validated."""
    return {
        "name": "depth",
        "title": "Depth 1 against 12 on chain-of-thought text",
        "question": "Do twelve attention layers fit chain-of-thought text better than one, also when the one is as "
        "large or as costly?",
        "background": "A source experiment trained one run of each and compared the last training batch.",
        "knobs": ["model.num_layers"],
        "base": {
            "data": {
                "source": {"kind": "procedural-cot", "records": 2000},
                "tokenizer": {"kind": "bpe", "vocab_size": 512},
                "block_size": 128,
            },
            "model": {"d_model": 48, "num_layers": 12, "num_heads": 4, "context_length": 256},
            "train": {"steps": steps, "batch_size": 8},
            "evaluate": {"every": every},
            "sample": {"prompts": ["<|im_start|>user\n"]},
        },
        "arms": copy.deepcopy(ARMS),
        "control": "layers-1",
        "claims": [claim | {"arm": "layers-12", "against": AGAINST} for claim in CLAIMS],
        "aggregates": [{"name": "tasks", "label": "Exact answers over tasks", "metrics": HOPS}],
        "scales": {
            "smoke": {"description": "tiny", "expected_time": "a minute", "arms": SMOKE, "seeds": [1, 2, 3]},
            "laptop": {"description": "small, all arms", "expected_time": "an hour", "seeds": [1, 2, 3, 4, 5]},
            "paper": {"description": "the source's settings", "expected_time": "days", "seeds": [1, 2]},
        },
        "source": {
            "title": "Why Multiple Attention Layers Might Be Important",
            "reported": [
                {"arm": "layers-1", "metric": "total_parameters", "value": 60.21e6},
                {"arm": "layers-1", "metric": "train.last_batch_loss", "value": 3.772, "note": "one noisy batch"},
                {"arm": "layers-12", "metric": "train.last_batch_loss", "value": 2.9305, "note": "one noisy batch"},
                {"arm": "layers-12", "metric": "train_seconds", "value": 252},
                {"arm": "layers-8", "metric": "validation.loss", "value": 5.8},
            ],
            "differences": ["The source compares the last training batch of one run."],
        },
        "limits": ["More layers also mean more parameters; only the matched controls separate depth from size."],
    }


def tuned_tree(*, steps: int = 80, every: int = 20) -> dict[str, Any]:
    """The study with a grid of learning rates at its smoke scale, the largest of which diverges."""
    tree = copy.deepcopy(study_tree(steps=steps, every=every))
    tree["base"]["data"]["tuning_fraction"] = 0.05
    tree["scales"]["smoke"]["tuning"] = {"learning_rates": [5e-4, 2e-3, 1.0]}
    return tree


def gridded_tree() -> dict[str, Any]:
    """The tuned study with a grid of two depths and two numbers of heads beside its arms, four of them at smoke, and a
    trend over the grid's heads."""
    tree = tuned_tree(steps=12, every=6)
    tree["scales"]["smoke"]["seeds"] = [1, 2]
    tree["knobs"].append("model.num_heads")
    axes = {
        "layers": {"path": "model.num_layers", "values": [1, 12]},
        "heads": {"path": "model.num_heads", "values": [2, 4]},
    }
    tree["grid"] = {"axes": axes, "depth": "layers", "across": "heads", "metric": "validation.loss", "solved": 3.0}
    tree["grid"]["predicted"] = {"label": "a rule", "depths": [{"at": {"heads": "2"}, "depth": "12"}]}
    tree = with_arms(tree, GridSpec.model_validate(tree["grid"]), Places("study"))
    tree["trend"] = {
        "series": {
            "two": ["layers-1-heads-2", "layers-12-heads-2"],
            "four": ["layers-1-heads-4", "layers-12-heads-4", "layers-8"],
        },
        "reference": "two",
        "at": 20,
    }
    tree["scales"]["smoke"]["arms"] = [
        *SMOKE,
        *(f"layers-{layers}-heads-{heads}" for layers in (1, 12) for heads in (2, 4)),
    ]
    return tree


def trended_tree() -> dict[str, Any]:
    """Three series of two stacks of two layers each, which differ in their heads alone."""
    tree = copy.deepcopy(study_tree(steps=12, every=6))
    tree["knobs"] = ["model.num_heads"]
    tree["base"]["model"] |= {"num_layers": 2}
    heads = {"even": ([1, 1], [2, 2], [8, 8]), "rising": ([1, 2], [2, 4], [4, 8]), "falling": ([2, 1], [4, 2], [8, 4])}
    series = {name: [f"{name}-{sum(each)}" for each in schedules] for name, schedules in heads.items()}
    tree["arms"] = {
        f"{name}-{sum(each)}": {"label": f"{name} {sum(each)}", "change": {"model.num_heads": each}}
        for name, schedules in heads.items()
        for each in schedules
    }
    tree["trend"] = {"series": series, "reference": "even", "at": 10, "reported": {"rising": 0.045}}
    tree["scales"]["smoke"] |= {"arms": None}
    for name in ("control", "claims", "aggregates", "source"):
        del tree[name]
    return tree


def fake_attention(module: str, specs: str, out: Path, **settings: Any) -> str:
    """Stands for the measuring process: a second a head and half as much for the other work."""
    return json.dumps([[form["model"]["num_heads"] + 0.5] * 3 for form in json.loads(specs)])


@pytest.fixture
def make_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeStudy:
    """make_study(scale=..., seeds=..., tree=..., outcomes={(arm, seed): "diverged"}) -> its results, read from disk."""

    def make(
        *,
        tree: dict[str, Any] | None = None,
        scale: str = "smoke",
        seeds: tuple[int, ...] | None = None,
        hops: Sequence[int] = (1, 2, 4),
        outcomes: Mapping[tuple[str, int], str] | None = None,
        manifest: Mapping[str, Any] = MANIFEST,
        out: Path = tmp_path / "out",
    ) -> StudyResult:
        metrics = ("accuracy", *(f"accuracy.hops_{number}" for number in hops)) if hops else ()
        data = ResolvedData(manifest["fingerprint"], 512, dict(manifest), metrics)
        monkeypatch.setattr("stacklab.study.planning.arms.resolve_data", lambda spec, *, cache, ask: data)
        monkeypatch.setattr(attending, "measured", fake_attention)
        study = StudySpec.model_validate(tree or study_tree())
        plan = planning.make_plan(study, StudyRequest(scale=scale, out=out, seeds=seeds))
        plan = with_attention(plan, out, threads=2)
        enter(plan, out)
        save_plan(plan, plan.folder(out))
        for trial in tuning_plan(plan).runs():
            write_trial(trial, OutPaths(out).run(trial.spec.run_id))
        plan = with_tuned(plan, out)
        for arm, seed, spec in plan.runs():
            paths = OutPaths(out).run(spec.run_id)
            outcome = (outcomes or {}).get((arm.name, seed), "finished")
            if outcome != "missing":
                create_run(spec, paths)
                write_run(plan, arm, seed, paths, outcome, hops)
        return open_results(plan.folder(out))

    return make


def write_trial(trial: PlannedRun, paths: RunPaths) -> None:
    """The result of one run of a grid: a bowl around 2e-3, and rates of 1 and more diverge."""
    setting = setting_of(trial.arm)
    rate = setting.learning_rate
    distance = math.log(rate / 2e-3) ** 2 + 0.1 * setting.weight_decay + 0.01 * (trial.seed % 7)
    diverged = rate >= 1
    ended = {"status": "diverged" if diverged else "finished", "reason": "", "step": 80, "batches": "b"}
    result = ended | {"metrics": {} if diverged else {"tuning.loss": 3 + 0.1 * distance}}
    write_json(paths.spec, trial.spec.dump())
    write_json(paths.result, result | {HASHES: hashes(paths, result)})


def write_run(plan: Plan, arm: ArmPlan, seed: int, paths: RunPaths, outcome: str, hops: Sequence[int]) -> None:
    """The files of one run. outcome: finished, diverged, failed or unfinished; all but the first stop half way."""
    train, every = arm.config.train, plan.study.base.evaluate.every
    random = np.random.default_rng([seed, arm.total_parameters])
    last = train.steps if outcome == "finished" else train.steps // 2
    depth, width = arm.config.model.num_layers, arm.config.model.d_model
    floor = 3.1 - 0.22 * math.log(depth) - 0.12 * math.log(width / 48) + random.normal(0, 0.02)

    def loss(step: int, overfit: float) -> float:
        progress = step / train.steps
        return float(floor + (6.24 - floor) * math.exp(-9 * progress) + overfit * progress**2)

    evals = [
        {
            "step": step,
            "train_probe.loss": loss(step, 0.0),
            "validation.loss": (value := loss(step, 0.35) + random.normal(0, 0.005)),
            "validation.bits_per_byte": value / math.log(2) / 3.72,
        }
        for step in sorted({*range(0, last, every), last})
    ]
    steps = [
        {
            "step": step,
            "loss": loss(step, 0.0) + random.normal(0, 0.2),
            "learning_rate": 3e-4 * min(1.0, step / 10),
            "norm": 1.0,
            "batch": fingerprint(["batch", seed, step]),
        }
        for step in range(1, last + 1)
    ]
    seconds = 0.004 * arm.flops_per_token / 1e6 * float(random.uniform(0.97, 1.03))
    timing = [{"step": step, "seconds": seconds, "tokens": 1024} for step in range(1, last + 1)]
    write_lines(paths.evals, evals)
    write_lines(paths.metrics, steps)
    write_lines(paths.timing_rows, timing)
    write_json(paths.provenance, provenance(plan))
    write_ending(paths, outcome, evals, steps, seconds, answers(random, depth, hops))


def write_ending(
    paths: RunPaths,
    outcome: str,
    evals: list[dict[str, Any]],
    steps: list[dict[str, Any]],
    seconds: float,
    accuracy: dict[str, float],
) -> None:
    samples: dict[str, Any] = {"before": [{"prompt": "<|im_start|>user\n", "text": "qz ## erm vv\x07 the the"}]}
    if outcome == "finished":
        shares = [1.0, 1.0, 0.9, 0.75, 0.5, 0.25, 0.0, None]
        copy = {"tokens": 7, "longest_copy": 6, "longest_copy_text": "Tom has 3", "shares": shares}
        after = {"prompt": "<|im_start|>user\n", "text": "Tom has 3 apples.<|im_end|>\n<think>3 + 4 = 7"}
        samples["after"] = [after | {"novelty": copy}]
    write_json(paths.samples, samples)
    if outcome == "failed":
        write_json(paths.error, {"error": "the worker was killed by signal 9"})
    if outcome == "unfinished":
        write_json(paths.progress, {"step": evals[-1]["step"], "state": "running"})
    if outcome not in ("finished", "diverged"):
        return
    final = {name: value for name, value in evals[-1].items() if name != "step"}
    best = min(evals, key=lambda row: row["validation.loss"])
    metrics = final | {
        "train_probe.perplexity": math.exp(final["train_probe.loss"]),
        "validation.perplexity": math.exp(final["validation.loss"]),
        "validation.best_loss": best["validation.loss"],
        "validation.best_step": best["step"],
        "train.last_batch_loss": steps[-1]["loss"],
        **accuracy,
    }
    diverged = outcome == "diverged"
    result = {
        "status": outcome,
        "reason": f"the training loss became nan at step {len(steps) + 1}" if diverged else "",
        "step": len(steps),
        "batches": fingerprint([row["batch"] for row in steps]),
        "metrics": {} if diverged else metrics,
    }
    write_json(paths.result, result | {HASHES: hashes(paths, result)})
    total = seconds * len(steps)
    timing = {"train_seconds": total, "tokens_per_second": 1024 / seconds, "median_step_seconds": seconds}
    write_json(paths.timing, timing | {"peak_memory_bytes": 310_000_000 + int(seconds * 2e9)})


def answers(random: np.random.Generator, depth: int, hops: Sequence[int]) -> dict[str, float]:
    if not hops:
        return {}
    shares = {
        f"accuracy.hops_{number}": float(np.clip(0.5 + 0.08 * math.log(depth) - 0.1 * number, 0, 1))
        + float(random.integers(0, 5)) / 64
        for number in hops
    }
    return {"accuracy": sum(shares.values()) / len(shares)} | shares


def provenance(plan: Plan) -> dict[str, Any]:
    return {
        "versions": {"python": "3.11.9", "stacklab": "0.1.0", "torch": "2.13.0+cpu", "numpy": "2.4.6"},
        "git": "8ff85ff00000",
        "platform": "Linux-6.1-x86_64",
        "processor": "A processor @ 2.50GHz",
        "cores": 2,
        "gpu": None,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "arguments": ["run", "depth", "--scale", plan.scale],
        "data": plan.data,
    }


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    encode = json.dumps if path.name == "timing.jsonl" else canonical_json
    write_text(path, "".join(encode(row) + "\n" for row in rows))

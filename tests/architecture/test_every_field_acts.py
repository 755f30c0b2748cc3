"""Each field of a run's specification is flipped, and something that the run leaves behind must change."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from stacklab.base.errors import UserError
from stacklab.data.prepare import prepare
from stacklab.data.spec import DataSpec
from stacklab.run import execute as module
from stacklab.run.feeds import feed
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.run.store import create_run
from stacklab.train.optimizer_spec import AdamWSpec, OptimizerSpec

BASE: dict[str, Any] = {
    "data": {
        "source": {"kind": "procedural-cot", "records": 100},
        "tokenizer": {"kind": "bpe", "vocab_size": 300},
        "block_size": 24,
        "validation_fraction": 0.2,
        "tuning_fraction": 0.1,
    },
    "model": {"d_model": 8, "num_heads": 2, "num_layers": 2, "context_length": 200, "init": {"std": 0.3}},
    "train": {"steps": 4, "batch_size": 4, "checkpoint_every": 3, "schedule": {"warmup_steps": 1}},
    "evaluate": {"every": 2, "train_probe_blocks": 2, "problems": 2, "answer_tokens": 3},
    "sample": {"prompts": ["The"], "tokens": 8, "temperature": 1.0},
    "seed": 1,
}

FLIPS: dict[str, Any] = {
    "data.source": {"kind": "procedural-cot", "records": 90},
    "data.tokenizer": {"kind": "bytes"},
    "data.record_stride": 2,
    "data.template": "plain",
    "data.vocabulary": "compact",
    "data.block_size": 25,
    "data.sequences": "windows",
    "data.validation_fraction": 0.4,
    "data.validation": {"kind": "file", "path": str(Path(__file__).parents[2] / "LICENSE"), "format": "txt"},
    "data.packing": "documents",
    "data.loss_on": "answers",
    "data.tuning_fraction": 0.3,
    "data.split_seed": 1,
    "model.vocab_size": 301,
    "model.d_model": 10,
    "model.num_layers": 1,
    "model.num_heads": [1, 2],
    "model.num_kv_heads": 1,
    "model.d_ff": 9,
    "model.feed_forward": "gated",
    "model.window": [2, None],
    "model.attention_pattern": {"kind": "strided", "stride": 2},
    "model.layer_drop": 0.9,
    "model.context_length": 201,
    "model.position": "none",
    "model.activation": "relu",
    "model.mask": "full",
    "model.attention_scale": "none",
    "model.attention_identity": 0.2,
    "model.linear_bias.query_key_value": True,
    "model.linear_bias.output": True,
    "model.linear_bias.feed_forward": True,
    "model.token_table": "frozen",
    "model.tie_embeddings": False,
    "model.dropout": 0.3,
    "model.attention_dropout": 0.3,
    "model.norm.kind": "rms",
    "model.norm.placement": "post",
    "model.norm.final": False,
    "model.norm.bias": False,
    "model.norm.epsilon": 0.1,
    "model.init.std": 0.2,
    "model.init.token_std": 0.2,
    "model.init.position_std": 0.2,
    "model.init.residual": "depth_scaled",
    "model.qk_norm": "head",
    "model.residual": {"kind": "rezero"},
    "model.start_from": "weights-0123456789abcdef",
    "model.share": {"blocks": [0, 0]},
    "model.parametrisation": {"kind": "mup", "base_d_model": 4},
    "train.steps": 3,
    "train.batch_size": 2,
    "train.micro_batch_size": 1,
    "train.optimizer.learning_rate": 1e-2,
    "train.optimizer.betas": [0.8, 0.8],
    "train.optimizer.epsilon": 0.1,
    "train.optimizer.weight_decay": 0.9,
    "train.optimizer.clip_norm": 0.01,
    "train.schedule.kind": "constant",
    "train.schedule.warmup_steps": 2,
    "train.schedule.final_ratio": 0.9,
    "train.schedule.decay_steps": 3,
    "train.device": "cuda",
    "train.precision": "bf16",
    "train.residual": "products",
    "train.tf32": True,
    "train.loss_chunk_rows": 7,
    "train.checkpoint_every": 2,
    "train.diverged_above": 1.0000001,
    "train.stop": {"metric": "validation.loss", "at_least": 0.0, "evaluations": 1},
    "train.keep_best": True,
    "evaluate.split": "tuning",
    "evaluate.every": 3,
    "evaluate.train_probe_blocks": 3,
    "evaluate.problems": 0,
    "evaluate.answer_tokens": 9,
    "sample.prompts": ["A"],
    "sample.tokens": 9,
    "sample.temperature": 0.1,
    "seed": 2,
}


ELSEWHERE = {"train.compile", "train.deterministic"}
"""What tests/train/test_compile.py and, on a GPU, tests/run/test_gpu.py show to act."""

REFUSED = {
    "data.loss_on": "no answer reaches into the two blocks of the probe",
    "model.mask": "the run has texts to write",
    "model.token_table": "the head is tied",
    "model.norm.kind": "its norms have a bias",
    "model.start_from": "no weights of this name are kept; tests/train/test_start.py shows that it acts",
    "train.device": "this machine has no GPU",
    "train.tf32": "a CPU has no TF32",
    "train.residual": "products are in fp32",
}
"""What a run of such a base cannot do, and why."""


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted paths of the leaves, but for those that can have one value only.

    A union or a list is one leaf: its members have tests of their own, as have tasks. Data are texts here and the
    optimiser is of the default kind.
    """
    for name, field in model.model_fields.items():
        kind = {"data": DataSpec, "optimizer": AdamWSpec}.get(name, field.annotation)
        if get_origin(kind) is Literal and len(get_args(kind)) == 1:
            continue
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def flipped(path: str) -> dict[str, Any]:
    tree: dict[str, Any] = RunSpec.model_validate(_complete(BASE, vocab=300, data="x")).dump()
    node = tree
    *groups, leaf = path.split(".")
    for group in groups:
        node = node[group]
    node[leaf] = FLIPS[path]
    return tree


def _complete(tree: dict[str, Any], *, vocab: int, data: str) -> dict[str, Any]:
    return tree | {"data_fingerprint": data, "model": {"vocab_size": vocab} | tree["model"]}


def outcome(tree: dict[str, Any], out: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the run leaves: its reproducible files, the sizes of its loss chunks and the steps it saved at.

    Or the reason why such a run is refused.
    """
    seen: list[Any] = []
    mean_loss, save = feed.mean_loss, module.save_checkpoint
    monkeypatch.setattr(feed, "mean_loss", lambda *a, **k: seen.append(sorted(k.items())) or mean_loss(*a, **k))
    monkeypatch.setattr(module, "save_checkpoint", lambda *a, **k: seen.append(k["step"]) or save(*a, **k))
    monkeypatch.setattr(feed, "answer_accuracy", _record_tokens(feed.answer_accuracy, seen))
    prepared = prepare(DataSpec.model_validate(tree["data"]), cache=OutPaths(out).cache)
    if tree["model"]["vocab_size"] == 300:
        tree["model"]["vocab_size"] = prepared.vocab_size
    try:
        spec = RunSpec.model_validate(tree | {"data_fingerprint": prepared.fingerprint})
    except ValidationError as refusal:
        return [str(refusal)]
    paths = OutPaths(out).run(spec.run_id)
    create_run(spec, paths)
    try:
        module.execute(paths.folder, threads=1)
    except UserError as refusal:
        return [str(refusal)]
    finally:
        monkeypatch.undo()
    names = ("metrics.jsonl", "evals.jsonl", "result.json", "samples.json", "model.safetensors")
    sizes = [paths.weights.stat().st_size, sorted(paths.bests)]
    return [*seen, *((paths.folder / name).read_bytes() for name in names[:-1]), *sizes]


def _record_tokens(answer: Any, seen: list[Any]) -> Any:
    def recording(*args: Any, max_tokens: int, **kwargs: Any) -> Any:
        seen.append(max_tokens)
        return answer(*args, max_tokens=max_tokens, **kwargs)

    return recording


def test_no_field_is_forgotten() -> None:
    """A new field needs a flip here, or it may be one that nothing reads."""
    assert set(fields(RunSpec)) - {"data_fingerprint"} - ELSEWHERE == set(FLIPS)


def test_no_kind_of_optimizer_is_forgotten() -> None:
    """The fields of a new kind need flips as those of AdamW have them."""
    kinds = [kind for kind in OptimizerSpec.__subclasses__() if kind.__module__.startswith("stacklab.")]
    assert kinds == [AdamWSpec]


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    out = tmp_path_factory.mktemp("out")
    tree = RunSpec.model_validate(_complete(BASE, vocab=300, data="x")).dump()
    with pytest.MonkeyPatch.context() as monkeypatch:
        return out, outcome(tree, out, monkeypatch)


@pytest.mark.trains
def test_nothing_changes_without_a_flip(
    plain: tuple[Path, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = RunSpec.model_validate(_complete(BASE, vocab=300, data="x")).dump()
    assert outcome(tree, tmp_path, monkeypatch) == plain[1]


@pytest.mark.trains
@pytest.mark.parametrize("path", FLIPS)
def test_the_field_acts(path: str, plain: tuple[Path, list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    out, expected = plain
    found = outcome(flipped(path), out, monkeypatch)
    assert found != expected
    assert (len(found) == 1) == (path in REFUSED)

"""A tiny prepared run, as a spec and an output folder."""

from pathlib import Path
from typing import Any

import pytest

from stacklab.data.prepare import prepare
from stacklab.data.prepared import PreparedData
from stacklab.data.procedural.spec import ProceduralSpec
from stacklab.data.spec import BytesTokenizer, DataSpec
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.spec import RunSpec
from stacklab.run.store import create_run
from stacklab.train.spec import EvaluateSpec, SampleSpec, TrainSpec


class Bench:
    """Makes run folders under one output folder with one prepared corpus."""

    def __init__(self, root: Path) -> None:
        self.out = OutPaths(root)
        self.data = DataSpec(
            source=ProceduralSpec(records=150), tokenizer=BytesTokenizer(), block_size=32, validation_fraction=0.1
        )
        self.prepared = prepare(self.data, cache=self.out.cache)

    def spec(self, *, seed: int = 1, model: dict[str, Any] | None = None, **train: Any) -> RunSpec:
        small = {"d_model": 8, "num_heads": 2, "num_layers": 1, "context_length": 160, "dropout": 0.1}
        return RunSpec(
            data=self.data,
            data_fingerprint=self.prepared.fingerprint,
            model=ModelSpec(vocab_size=self.prepared.vocab_size, **small | (model or {})),
            train=TrainSpec(**{"steps": 10, "batch_size": 2, "checkpoint_every": 4} | train),
            evaluate=EvaluateSpec(every=5, train_probe_blocks=2, problems=1, answer_tokens=3),
            sample=SampleSpec(prompts=("The",), tokens=5),
            seed=seed,
        )

    def prepare(self, data: DataSpec) -> PreparedData:
        return prepare(data, cache=self.out.cache)

    def folder(self, spec: RunSpec) -> RunPaths:
        paths = self.out.run(spec.run_id)
        create_run(spec, paths)
        return paths


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "out")

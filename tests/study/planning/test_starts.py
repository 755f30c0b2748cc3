"""Arms that start from the weights of a model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.study.planned import planned

from stacklab.base.errors import DataError, PortError, SpecError
from stacklab.data.tokenizers.files import TokenizerFile, bytes_tokenizer
from stacklab.exchange.model_folder import save_model
from stacklab.exchange.portable import Portable
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import OutPaths
from stacklab.train.start import weights_name

STACK: dict[str, Any] = {"vocab_size": 259, "d_model": 8, "num_heads": 2, "context_length": 32, "num_layers": 2}


def model(
    out: Path, name: str, *, seed: int = 0, tokenizer: TokenizerFile | None = None, **changed: Any
) -> dict[str, torch.Tensor]:
    """An imported model; returns its weights."""
    spec = ModelSpec.model_validate(STACK | changed)
    tensors = {key: value.detach() for key, value in build(spec, seed=seed).named_parameters()}
    save_model(Portable(name, spec, tensors, tokenizer, None, None), out / "models" / name)
    return tensors


@pytest.fixture
def alone(tiny: Path) -> Path:
    """The tiny study, whose scale smoke has the arm deep alone."""
    text = tiny.read_text().replace("seeds: [1, 2]\n", "seeds: [1, 2]\n    arms: [deep]\n", 1)
    tiny.write_text(text)
    return tiny


def test_the_content_of_the_weights_is_part_of_the_run_and_is_kept(alone: Path) -> None:
    out = alone.parent / "out"
    tensors = model(out, "m", tokenizer=bytes_tokenizer())
    plan, plain = planned(alone, "model.start_from=m"), planned(alone)
    (arm,) = plan.arms
    assert arm.config.model.start_from == weights_name(tensors)
    assert (OutPaths(out).start / f"{weights_name(tensors)}.safetensors").exists()
    assert plan.run_spec(arm, 1).run_id != plain.run_spec(plain.arms[0], 1).run_id
    assert arm.changes == ()
    # The same weights under another path are the same run, other weights under the same path are not.
    model(out / "elsewhere", "m")
    same = planned(alone, f"model.start_from={out / 'elsewhere' / 'models' / 'm'}")
    assert same.run_spec(same.arms[0], 1).run_id == plan.run_spec(arm, 1).run_id
    (out / "models" / "m").rename(out / "models" / "old")
    model(out, "m", seed=1)
    other = planned(alone, "model.start_from=m")
    assert other.run_spec(other.arms[0], 1).run_id != plan.run_spec(arm, 1).run_id


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"d_model": 10}, r"arm deep: model\.start_from: m has model\.d_ff = 40, here it is 32; set model\.d_ff to 40"),
        ({"num_layers": 1}, r"m has model\.num_layers = 1, here it is 2; set model\.num_layers to 1"),
        ({"vocab_size": 264}, r"m has model\.vocab_size = 264, here it is 259; set model\.vocab_size to 264"),
        ({"norm": {"kind": "rms"}}, r"m has model\.norm\.bias = False, here it is True"),
        ({"position": "none"}, r"m has model\.position\.kind = 'none', here it is 'learned'"),
        ({"activation": "relu"}, r"m has model\.activation = 'relu', here it is 'gelu'"),
    ],
)
def test_another_stack_is_refused_with_the_first_setting(alone: Path, changed: dict[str, Any], message: str) -> None:
    model(alone.parent / "out", "m", **changed)
    with pytest.raises(SpecError, match=message):
        planned(alone, "model.start_from=m")


def test_how_a_stack_is_trained_may_differ(alone: Path) -> None:
    model(alone.parent / "out", "m", dropout=0.3, attention_dropout=0.0, layer_drop=0.2, init={"std": 0.5})
    assert planned(alone, "model.start_from=m").arms[0].config.model.dropout == 0.1


def test_another_tokenizer_is_refused(alone: Path) -> None:
    """Of as many ids, which mean other tokens."""
    turned = bytes_tokenizer().text.replace('"e":101', '"e":0').replace('"Ā":0', '"Ā":101')
    model(alone.parent / "out", "m", tokenizer=TokenizerFile("turned", turned, {}))
    with pytest.raises(SpecError, match=r"arm deep: model\.start_from: m has another tokenizer than the data: ids \["):
        planned(alone, "model.start_from=m")


def test_a_model_that_cannot_be_read_is_refused(alone: Path) -> None:
    out = alone.parent / "out"
    with pytest.raises(DataError, match=r"expected one run that starts with 'm', found none; imported models: none"):
        planned(alone, "model.start_from=m")
    model(out, "m")
    weights = out / "models" / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(PortError, match=r"model\.safetensors: not a complete safetensors file"):
        planned(alone, "model.start_from=m")

"""Models that leave, and what other programs make of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.model.port.conftest import (
    GPT2_STACK,
    GPT_NEO_STACK,
    LLAMA_STACK,
    OWN_STACKS,
    RELATIVES,
    filled,
    logits,
    stack,
    tensors_of,
)
from tests.run.conftest import Bench
from tests.run.tasks import make_runs, task_spec

from stacklab.base.errors import DataError, DiskError, MissingExtraError, PortError
from stacklab.base.files import read_json
from stacklab.data.prepare import prepare
from stacklab.data.tokenizers.files import bytes_tokenizer
from stacklab.exchange.export import export_model, write_tokenizer
from stacklab.exchange.import_ import import_model
from stacklab.exchange.model_folder import save_model
from stacklab.exchange.open_model import open_model
from stacklab.exchange.portable import Portable
from stacklab.model.port.gpt2 import GPT2
from stacklab.model.port.gpt2 import write as write_gpt2
from stacklab.model.transformer import Transformer
from stacklab.run.execute import execute

pytest.importorskip("transformers", reason="the extra `hf` is not installed")


STACKS = {"gpt2": GPT2_STACK, "gpt-neo": GPT_NEO_STACK, "llama": LLAMA_STACK} | OWN_STACKS


@pytest.mark.parametrize(
    ("fields", "format"),
    [*((fields, None) for fields in STACKS.values()), *((fields, name) for name, fields in RELATIVES.items())],
    ids=[*STACKS, *RELATIVES],
)
def test_a_folder_has_the_same_logits_and_comes_back_bit_for_bit(
    fields: dict[str, Any], format: str | None, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    model = filled(stack(fields))
    save_model(Portable("m", model.spec, tensors_of(model), None, None, None), tmp_path / "out" / "models" / "m")
    done = export_model("m", tmp_path / "hf", out=tmp_path / "out", format=format)
    assert done.difference is not None and done.difference < 1e-5
    assert format in (None, done.format)
    peer = AutoModelForCausalLM.from_pretrained(done.folder).eval()
    ids_BT = torch.arange(32).reshape(2, 16) * 7 % 31
    with torch.no_grad():
        assert float((peer(ids_BT).logits - logits(model)).abs().max()) < 1e-5
    back = import_model(done.folder, out=tmp_path / "out", name="back")
    assert back.model.tensors.keys() == tensors_of(model).keys()
    assert all(back.model.tensors[name].equal(value) for name, value in tensors_of(model).items())


@pytest.mark.trains
def test_a_run_goes_out_with_its_tokenizer_and_card(bench: Bench, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    paths = bench.folder(bench.spec())
    with pytest.raises(DataError, match="no final weights"):
        export_model(paths.run_id, tmp_path / "hf", out=bench.out.root)
    execute(paths.folder, threads=1)
    done = export_model(paths.run_id, tmp_path / "hf", out=bench.out.root)
    opened = open_model(paths.run_id, bench.out.root)
    tokenizer = AutoTokenizer.from_pretrained(done.folder)
    text = "The cat<|endoftext|> naïve"
    assert tokenizer(text)["input_ids"] == opened.encode(text)
    peer = AutoModelForCausalLM.from_pretrained(done.folder)
    ids = tokenizer("The", return_tensors="pt")
    new = peer.generate(**ids, max_new_tokens=5, do_sample=False)
    assert new.shape[1] <= 8
    result, card = read_json(paths.result), (done.folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert f"| validation.loss | {result['metrics']['validation.loss']:.6g} |" in card
    assert f"| accuracy | {result['metrics']['accuracy']:.6g} |" in card
    assert open_model(str(done.folder), bench.out.root).encode(text) == opened.encode(text)
    with pytest.raises(PortError, match="not empty"):
        export_model(paths.run_id, done.folder, out=bench.out.root)


@pytest.mark.trains
def test_runs_without_a_tokenizer_for_others(bench: Bench, tmp_path: Path) -> None:
    """One over a task has none; a compact vocabulary is one that no tokenizer file can say."""
    (task,) = make_runs(tmp_path / "tasks", [task_spec(steps=2)])
    execute(task.folder, threads=1)
    done = export_model(task.run_id, tmp_path / "hf", out=tmp_path / "tasks")
    assert (done.format, done.has_tokenizer) == ("stacklab", False)  # d_ff is 0
    assert "It has no tokenizer" in (done.folder / "README.md").read_text()

    data = bench.data.model_copy(update={"vocabulary": "compact"})
    prepared = prepare(data, cache=bench.out.cache)
    changed = {"data": data, "data_fingerprint": prepared.fingerprint}
    spec = bench.spec(steps=2).model_copy(update=changed)
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"vocab_size": prepared.vocab_size})})
    paths = bench.folder(spec)
    execute(paths.folder, threads=1)
    with pytest.raises(PortError, match="vocabulary is compact"):
        export_model(paths.run_id, tmp_path / "compact", out=bench.out.root)
    assert not (tmp_path / "compact").exists()


def saved(tmp_path: Path, fields: dict[str, Any], **others: Any) -> Transformer:
    """A model under the name m."""
    model = filled(stack(fields, **others))
    tokenizer = bytes_tokenizer() if model.spec.vocab_size == BYTES_IDS else None
    ids = (256, 256) if tokenizer else (None, None)
    save_model(Portable("m", model.spec, tensors_of(model), tokenizer, *ids), tmp_path / "models" / "m")
    return model


def test_a_link_is_not_written_over(tmp_path: Path) -> None:
    saved(tmp_path, GPT2_STACK)
    (tmp_path / "empty").mkdir()
    for target in ("empty", "none"):
        (tmp_path / f"to-{target}").symlink_to(tmp_path / target)
        with pytest.raises(DiskError, match=f"to-{target}: is a link, which is not written through"):
            export_model("m", tmp_path / f"to-{target}", out=tmp_path)


BYTES_IDS = 259

MISFITS = [
    ({}, "llama", "position is learned, not rotary"),
    ({}, "gpt-neo", "attention_scale is inverse_sqrt, not none"),
    ({"num_heads": [3, 6]}, "gpt2", r"num_heads differs by layer \(3, 6\)"),
    ({"window": 4}, "gpt2", "window is 4, not none"),
    ({"attention_scale": "none", "window": [4, 5]}, "gpt-neo", "window has several values"),
    ({"norm": {"placement": "post"}}, "gpt2", "norm.placement is post"),
    ({"parametrisation": {"kind": "mup", "base_d_model": 6}}, "gpt2", "parametrisation is mup"),
    ({"mask": "full"}, None, "mask is full"),
    ({}, "gguf", "no format is called 'gguf'"),
]


@pytest.mark.parametrize(("changed", "format", "message"), MISFITS)
def test_a_format_that_does_not_fit_is_refused_with_the_field(
    changed: dict[str, Any], format: str | None, message: str, tmp_path: Path
) -> None:
    saved(tmp_path, GPT2_STACK, **changed)
    with pytest.raises(PortError, match=message):
        export_model("m", tmp_path / "hf", out=tmp_path, format=format)
    assert not (tmp_path / "hf").exists()


def test_a_folder_that_computes_something_else_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, GPT2_STACK)
    wrong = replace(GPT2, write=lambda spec: write_gpt2(spec) | {"activation_function": "relu"})
    monkeypatch.setattr("stacklab.model.port.registry.FORMS", (wrong,))
    with pytest.raises(PortError, match=f"^{tmp_path / 'hf'}: reopened, its logits differ from the model's by"):
        export_model("m", tmp_path / "hf", out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


def test_the_markers_leave_with_the_model(tmp_path: Path) -> None:
    """What other programs begin and end a text with; a model without them says so, since some classes have defaults."""
    saved(tmp_path, GPT2_STACK, vocab_size=BYTES_IDS)
    folder = export_model("m", tmp_path / "hf", out=tmp_path).folder
    ids = {"bos_token_id": 256, "eos_token_id": 256, "pad_token_id": 256}
    config, tokenizer = (read_json(folder / name) for name in ("config.json", "tokenizer_config.json"))
    assert ids.items() <= config.items() and read_json(folder / "generation_config.json") == ids
    named = {"bos_token", "eos_token", "pad_token"}
    assert {name: tokenizer[name] for name in named} == dict.fromkeys(named, "<|endoftext|>")
    assert open_model(str(folder), tmp_path).end_id == 256

    saved(tmp_path / "bare", GPT2_STACK)
    folder = export_model("m", tmp_path / "bare-hf", out=tmp_path / "bare").folder
    config = read_json(folder / "config.json")
    assert {name: config[name] for name in ids} == dict.fromkeys(ids)
    assert read_json(folder / "generation_config.json") == {}
    assert open_model(str(folder), tmp_path).end_id is None


def test_a_start_that_is_not_the_end_leaves_as_itself(tmp_path: Path) -> None:
    model = filled(stack(GPT2_STACK, vocab_size=BYTES_IDS))
    save_model(Portable("m", model.spec, tensors_of(model), bytes_tokenizer(), 257, 258), tmp_path / "models" / "m")
    folder = export_model("m", tmp_path / "hf", out=tmp_path).folder
    wanted = {"bos_token_id": 257, "eos_token_id": 258, "pad_token_id": 258}
    assert wanted.items() <= read_json(folder / "config.json").items()
    assert read_json(folder / "generation_config.json") == wanted


def test_a_tokenizer_that_returns_other_ids_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, GPT2_STACK, vocab_size=BYTES_IDS)

    def swapped(model: Portable, folder: Path) -> None:
        assert model.tokenizer is not None
        text = model.tokenizer.text.replace('"O":79', '"O":1000').replace('"P":80', '"P":79').replace(":1000", ":80")
        assert text != model.tokenizer.text
        write_tokenizer(replace(model, tokenizer=replace(model.tokenizer, text=text)), folder)

    monkeypatch.setattr("stacklab.exchange.export.write_tokenizer", swapped)
    message = r"hf: reopened by transformers, the tokenizer returns \[80, 110, .*\], expected \[79, 110, "
    with pytest.raises(PortError, match=message):
        export_model("m", tmp_path / "hf", out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


def test_our_own_class_can_be_chosen(tmp_path: Path) -> None:
    model = saved(tmp_path, GPT2_STACK)
    done = export_model("m", tmp_path / "hf", out=tmp_path, format="stacklab")
    assert done.format == "stacklab" and done.difference is not None and done.difference < 1e-5
    written = [*done.folder.iterdir(), *(tmp_path / "models" / "m").iterdir()]
    assert {path.name: path.stat().st_mode & 0o777 for path in written} == {path.name: 0o644 for path in written}
    files = {"configuration_stacklab.py", "modeling_stacklab.py"}
    assert files <= {path.name for path in done.folder.iterdir()}
    opened = open_model(str(done.folder), tmp_path)
    assert opened.model.spec == model.spec
    assert all(value.equal(tensors_of(model)[name]) for name, value in tensors_of(opened.model).items())


def test_biases_that_a_stack_lacks_are_zeros(tmp_path: Path) -> None:
    model = saved(tmp_path, GPT2_STACK, linear_bias=False, norm={"bias": False})
    done = export_model("m", tmp_path / "hf", out=tmp_path)
    assert done.format == "gpt2" and done.difference is not None and done.difference < 1e-5
    back = import_model(done.folder, out=tmp_path, name="back").model
    assert all(back.tensors[name].equal(value) for name, value in tensors_of(model).items())
    assert not any(back.tensors[name].any() for name in back.tensors.keys() - tensors_of(model).keys())


@pytest.mark.parametrize("fields", [GPT_NEO_STACK, OWN_STACKS["per-layer"]], ids=["gpt-neo", "per-layer"])
def test_a_graph_of_onnx_has_the_same_logits(fields: dict[str, Any], tmp_path: Path) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="the extra `onnx` is not installed")
    saved(tmp_path, fields, vocab_size=BYTES_IDS)
    done = export_model("m", tmp_path / "graph", out=tmp_path, format="onnx")
    assert done.difference is not None and done.difference < 1e-4
    names = {"model.onnx", "tokenizer.json", "tokenizer_config.json", "README.md"}
    assert {path.name for path in done.folder.iterdir()} == names


def test_without_the_extra_a_graph_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, GPT2_STACK)
    monkeypatch.setattr("stacklab.exchange.onnx.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"stacklab\[onnx\]"):
        export_model("m", tmp_path / "graph", out=tmp_path, format="onnx")
    monkeypatch.setattr("stacklab.exchange.check_export.find_spec", lambda name: None)
    assert export_model("m", tmp_path / "hf", out=tmp_path).difference is None

"""Folders made to harm: names that lead nowhere, sizes without end, values of the wrong kind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.exchange.conftest import small
from tests.model.port.conftest import GPT2_STACK, GPT_NEO_STACK, LLAMA_STACK, OWN_STACKS, filled, stack, tensors_of

from stacklab.base.errors import DataError, PortError, UserError
from stacklab.exchange.export import write_files
from stacklab.exchange.hf_folder import read_folder
from stacklab.exchange.import_ import import_model
from stacklab.exchange.model_folder import load_model
from stacklab.exchange.portable import Portable
from stacklab.model.port.own import OWN
from stacklab.model.port.registry import form_for


def folder_of(path: Path, fields: dict[str, Any]) -> Path:
    """A sound one."""
    model = filled(stack(fields))
    path.mkdir()
    write_files(Portable("m", model.spec, tensors_of(model), None, None, None), form_for(model.spec), path)
    return path


def config(folder: Path, **changed: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def part(folder: Path, name: str) -> None:
    """All tensors in one part of that name, which is written as JSON escapes it."""
    names = load_file(folder / "model.safetensors").keys()
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict.fromkeys(names, name)}))


def number(folder: Path, name: str, value: float) -> None:
    """One number of a tensor."""
    tensors = load_file(folder / "model.safetensors")
    tensors[name].view(-1)[3] = value
    save_file(tensors, folder / "model.safetensors")


def tensor(folder: Path, name: str) -> None:
    """One more, of that name."""
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {name: torch.ones(1)}, folder / "model.safetensors")


def circle(folder: Path) -> None:
    part(folder, "p.safetensors")
    (folder / "p.safetensors").symlink_to("p.safetensors")


def in_stack(folder: Path, **changed: Any) -> None:
    config(folder, stack=json.loads((folder / "config.json").read_text())["stack"] | changed)


def many_layers(folder: Path) -> None:
    """In all that the config says of them."""
    fields = OWN_STACKS["per-layer"] | {"num_layers": 9999, "num_heads": 3, "d_ff": 8, "window": None}
    config(folder, **OWN.write(stack(fields)))


def test_a_config_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "folder", GPT2_STACK)
    config(folder, initializer_range=float("nan"))
    with pytest.raises(PortError, match=r"models/folder: the source's config cannot be kept as JSON"):
        import_model(folder, out=tmp_path / "out")
    assert not (tmp_path / "out" / "models" / "folder").exists()


def test_half_a_surrogate_pair_in_a_config_is_kept_as_its_escape(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "folder", GPT2_STACK)
    config(folder, _name_or_path="\ud800")
    done = import_model(folder, out=tmp_path / "out")
    assert load_model(done.folder).origin["config"]["_name_or_path"] == "\ud800"
    assert import_model(folder, out=tmp_path / "out").folder == done.folder


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        *((GPT2_STACK, key) for key in ("n_head", "vocab_size", "activation_function", "layer_norm_epsilon")),
        *((GPT2_STACK, key) for key in ("scale_attn_weights", "tie_word_embeddings", "n_positions", "n_layer")),
        *((GPT_NEO_STACK, key) for key in ("window_size", "num_heads")),
        *((LLAMA_STACK, key) for key in ("rms_norm_eps", "mlp_bias", "hidden_act", "intermediate_size")),
    ],
)
def test_null_is_not_the_default(fields: dict[str, Any], key: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "folder", fields)
    config(folder, **{key: None})
    with pytest.raises(PortError, match=f"config: {key} is null, expected a value or no such key"):
        read_folder(folder)


def test_null_is_absence_where_the_program_says_so(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "llama", LLAMA_STACK | {"num_kv_heads": None})
    config(folder, num_key_value_heads=None, bos_token_id=None, eos_token_id=None, head_dim=None, rope_scaling=None)
    model = read_folder(folder)
    assert [layer.num_kv_heads for layer in model.spec.layers] == [4, 4] and model.end_id is None
    folder = folder_of(tmp_path / "gpt2", GPT2_STACK | {"d_ff": 48})
    config(folder, n_inner=None)
    assert {layer.d_ff for layer in read_folder(folder).spec.layers} == {48}
    folder = folder_of(tmp_path / "neo", GPT_NEO_STACK | {"num_layers": 24, "window": [None, 4] * 12, "d_ff": 48})
    config(folder, attention_types=None, intermediate_size=None)
    assert [layer.window for layer in read_folder(folder).spec.layers] == [None, 4] * 12


HUGE = 10**30
FC, QKV = "transformer.h.1.mlp.c_fc.weight", "blocks.1.attention.query_key_value.weight"
BAD: list[tuple[dict[str, Any], Callable[[Path], Any], type[UserError], str]] = [
    (
        GPT2_STACK,
        lambda f: part(f, "a\0.safetensors"),
        PortError,
        r"names the file 'a\\x00\.safetensors', which cannot",
    ),
    (GPT2_STACK, lambda f: part(f, "\ud800.safetensors"), PortError, r"names the file '\\ud800\.safetensors', which"),
    (GPT2_STACK, lambda f: part(f, "p" * 5000 + ".safetensors"), PortError, "names the file 'p{80}', which cannot"),
    (GPT2_STACK, circle, PortError, "names the file 'p.safetensors', which cannot|p.safetensors: no such file"),
    (GPT_NEO_STACK, lambda f: config(f, attention_types=[[["global", []], 1]]), PortError, "attention_types is"),
    (GPT_NEO_STACK, lambda f: config(f, attention_types=[[["global"], 6000]] * 9), PortError, "attention_types is"),
    (GPT2_STACK, lambda f: config(f, architectures=5), PortError, "architectures is 5, expected a list of names"),
    (GPT2_STACK, lambda f: config(f, architectures="GPT2LMHeadModel"), PortError, "architectures is 'GPT2LMH"),
    (GPT2_STACK, lambda f: config(f, architectures=[["x"]]), PortError, r"architectures is \[\['x'\]\]"),
    (GPT2_STACK, lambda f: config(f, vocab_size=HUGE), PortError, f"vocab_size is {HUGE}, expected at most"),
    (GPT2_STACK, lambda f: config(f, n_embd=10**12), PortError, "n_embd is 10+, expected at most"),
    (
        GPT2_STACK,
        lambda f: config(f, layer_norm_epsilon=10**400),
        PortError,
        r"epsilon is 10+\.\.\. \(401 characters\), expected a finite",
    ),
    (
        LLAMA_STACK,
        lambda f: config(f, rope_parameters=None, rope_theta=10**400),
        PortError,
        r"rope_theta is 10{199}\.\.\. \(",
    ),
    (OWN_STACKS["per-layer"], lambda f: in_stack(f, vocab_size=HUGE), PortError, "stack: vocab_size: 1[0,]+ exceeds"),
    (OWN_STACKS["per-layer"], lambda f: in_stack(f, d_ff=[7, HUGE]), PortError, "stack: d_ff has about 30 digits"),
    (GPT2_STACK, lambda f: (f / "config.json").write_text("[" * 100_000), DataError, "config.json: nested too deeply"),
    (GPT2_STACK, lambda f: (f / "config.json").write_text("9" * 5000), DataError, "config.json: cannot be read"),
    (
        GPT2_STACK,
        lambda f: config(f, **{"k" * 5000: "v" * 5000}),
        PortError,
        r"config: k{200}\.\.\. \(5000 cha.* = 'v{199}",
    ),
    (GPT2_STACK, lambda f: config(f, n_head=[9] * 5000), PortError, r"n_head is \[(9, )+9?\.\.\. \(15000 characters\)"),
    (OWN_STACKS["per-layer"], lambda f: config(f, x="v" * 5000), PortError, r"x is 'v{199}\.\.\. .*its stack says"),
    (OWN_STACKS["per-layer"], lambda f: in_stack(f, **{"k" * 5000: 1}), PortError, r"stack: k{200}\.\.\. .*: Extra"),
    (GPT2_STACK, lambda f: config(f, architectures=["x" * 5000]), PortError, r"names 'x{199}\.\.\. \("),
    (GPT2_STACK, lambda f: tensor(f, "x" * 5000), PortError, r"has the tensor x{200}\.\.\. \(5000 characters\), which"),
    (GPT2_STACK, lambda f: config(f, n_layer=9999), PortError, "holds 28 tensors, too few for the 9999 layers"),
    (OWN_STACKS["per-layer"], many_layers, PortError, "holds 2[0-9] tensors, too few for the 9999 layers"),
    (GPT2_STACK, lambda f: number(f, FC, float("nan")), PortError, f"{FC} has 1 of 240 numbers that are NaN or inf"),
    (OWN_STACKS["per-layer"], lambda f: number(f, QKV, float("-inf")), PortError, f"{QKV} has 1 of 432 numbers"),
]


@pytest.mark.parametrize(("fields", "spoil", "error", "message"), BAD, ids=[case[-1] for case in BAD])
def test_a_folder_made_to_harm_is_refused_in_one_line(
    fields: dict[str, Any],
    spoil: Callable[[Path], Any],
    error: type[UserError],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = folder_of(tmp_path / "folder", fields)
    spoil(folder)
    monkeypatch.setattr("stacklab.model.port.links.Transformer", small)
    with pytest.raises(error, match=message) as raised:
        read_folder(folder)
    assert str(raised.value).isprintable() and len(str(raised.value)) < 1000

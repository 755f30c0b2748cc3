"""Models of other programs, as those programs write them, and folders that are not what they seem."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.model.port.conftest import IDS_BT, logits
from tokenizers import Tokenizer, models

from stacklab.base.errors import DataError, PortError, TokenizerError, UserError
from stacklab.cli.port import import_
from stacklab.data.tokenizers.files import TokenizerFile, bytes_tokenizer
from stacklab.exchange.hf_folder import read_folder
from stacklab.exchange.import_ import import_model, read_tokenizer_file
from stacklab.exchange.open_model import open_model
from stacklab.model.port.fields import HARMLESS, HARMLESS_BY_REASON
from stacklab.model.port.registry import form_of

transformers: Any = pytest.importorskip("transformers", reason="the extra `hf` is not installed")

MARKS = {"bos_token_id": 1, "eos_token_id": 2}


def gpt2(**others: Any) -> Any:
    config = {"vocab_size": 31, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_inner": 20, "n_positions": 16} | MARKS
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**config | others))


def gpt_neo(**others: Any) -> Any:
    config = {"vocab_size": 31, "hidden_size": 12, "num_layers": 3, "num_heads": 3, "intermediate_size": 20} | MARKS
    config |= {"attention_types": [[["global", "local"], 1], [["local"], 1]], "window_size": 4}
    return transformers.GPTNeoForCausalLM(
        transformers.GPTNeoConfig(**config | {"max_position_embeddings": 16} | others)
    )


def llama(**others: Any) -> Any:
    config = {"vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4} | MARKS
    config |= {"num_key_value_heads": 2, "intermediate_size": 20, "max_position_embeddings": 16}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**config | others))


ROTARY = {"vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4} | MARKS
ROTARY |= {"num_key_value_heads": 2, "intermediate_size": 20, "max_position_embeddings": 16, "pad_token_id": 0}
LEARNED = {"vocab_size": 31, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 16} | MARKS
OPT = {"vocab_size": 31, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "ffn_dim": 20} | MARKS
OPT |= {"max_position_embeddings": 16, "word_embed_proj_dim": 12}


def peer_of(model_type: str, **config: Any) -> Callable[[], Any]:
    return lambda: transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(model_type, **config)
    )


def tiny_tokenizer() -> str:
    """30 words, for tables of 31 rows."""
    return str(Tokenizer(models.WordLevel({f"w{i}": i for i in range(30)}, unk_token="w0")).to_str())


def shaken(peer: Any) -> Any:
    """Weights of which none is a value that hides it, the same every time."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter.normal_(0.1, 0.3, generator=generator)
    return peer.eval()


def answer(peer: Any) -> torch.Tensor:
    with torch.no_grad():
        return peer(IDS_BT).logits


PEERS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "gpt2": (gpt2, {}),
    "gpt2, unscaled, untied, relu": (
        lambda: gpt2(scale_attn_weights=False, tie_word_embeddings=False, activation_function="relu"),
        {},
    ),
    "gpt2, in parts": (gpt2, {"max_shard_size": "4KB"}),
    "gpt-neo": (gpt_neo, {}),
    "llama": (llama, {}),
    "llama, biases, tied, own base": (
        lambda: llama(
            attention_bias=True,
            mlp_bias=True,
            tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 700.0},
        ),
        {},
    ),
    "qwen2": (peer_of("qwen2", **ROTARY, tie_word_embeddings=True), {}),
    "qwen2, windows above the first layer": (
        peer_of("qwen2", **ROTARY, use_sliding_window=True, sliding_window=3, max_window_layers=1),
        {},
    ),
    "mistral": (peer_of("mistral", **ROTARY, sliding_window=None), {}),
    "mistral, window": (peer_of("mistral", **ROTARY, sliding_window=3), {}),
    "phi3, window": (peer_of("phi3", **ROTARY, sliding_window=3), {}),
    "starcoder2": (peer_of("starcoder2", **ROTARY), {}),
    "starcoder2, window, no biases": (peer_of("starcoder2", **ROTARY, sliding_window=3, use_bias=False), {}),
    "stablelm, whole heads turn": (peer_of("stablelm", **ROTARY, partial_rotary_factor=1.0, use_qkv_bias=True), {}),
    "openai-gpt": (peer_of("openai-gpt", **LEARNED), {}),
    "gpt-bigcode": (peer_of("gpt_bigcode", **LEARNED, n_inner=20), {}),
    "opt": (peer_of("opt", **OPT), {}),
    "opt, no biases": (peer_of("opt", **OPT, enable_bias=False, tie_word_embeddings=False), {}),
}


@pytest.mark.parametrize("name", PEERS)
def test_a_folder_of_transformers_has_the_same_logits_here(name: str, tmp_path: Path) -> None:
    make, how = PEERS[name]
    peer = shaken(make())
    peer.save_pretrained(tmp_path / "theirs", **how)
    done = import_model(tmp_path / "theirs", out=tmp_path / "out")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 1 or not how
    for opened in (open_model("theirs", tmp_path / "out"), open_model(str(tmp_path / "theirs"), tmp_path)):
        assert float((logits(opened.model) - answer(peer)).abs().max()) < 2e-5
        assert opened.end_id == 2
    assert done.model.start_id == 1
    again = import_model(tmp_path / "theirs", out=tmp_path / "out")
    assert again.folder == done.folder
    (tmp_path / "tokenizer.json").write_text(tiny_tokenizer())
    with pytest.raises(PortError, match="another model has this name"):
        import_model(tmp_path / "theirs", out=tmp_path / "out", tokenizer=tmp_path / "tokenizer.json")
    with pytest.raises(PortError, match="another model has this name"):
        changed = json.loads((tmp_path / "theirs" / "config.json").read_text()) | {"eos_token_id": 3}
        (tmp_path / "theirs" / "config.json").write_text(json.dumps(changed))
        import_model(tmp_path / "theirs", out=tmp_path / "out")


def test_the_bare_model_and_half_precision_come_in(tmp_path: Path) -> None:
    peer = shaken(gpt2()).to(torch.bfloat16)
    peer.transformer.save_pretrained(tmp_path / "bare")
    model = read_folder(tmp_path / "bare")
    assert model.tensors["token_embedding.weight"].equal(peer.transformer.wte.weight.float())


MATRICES = ("c_attn.weight", "c_fc.weight", "c_proj.weight")


def nanogpt_checkpoint(path: Path, **others: Any) -> Any:
    """A checkpoint as nanoGPT's train.py writes it, from a GPT-2 of transformers with exact GELU; returns the peer."""
    peer = shaken(gpt2(activation_function="gelu", n_inner=48))
    weights = {
        f"_orig_mod.{name}": value.t().contiguous() if name.endswith(MATRICES) else value.clone()
        for name, value in peer.state_dict().items()
    }
    model_args = {
        "n_layer": 2,
        "n_head": 3,
        "n_embd": 12,
        "block_size": 16,
        "bias": True,
        "vocab_size": 31,
        "dropout": 0.0,
    }
    content = {"model": weights, "optimizer": {"state": {}}, "model_args": model_args, "iter_num": 5}
    content |= {"best_val_loss": torch.tensor(1.5), "config": {"dataset": "x"}}
    torch.save(content | others, path)
    return peer


def test_a_checkpoint_of_nanogpt_has_the_same_logits_here(tmp_path: Path) -> None:
    peer = nanogpt_checkpoint(tmp_path / "ckpt.pt")
    import_model(tmp_path / "ckpt.pt", out=tmp_path / "out", name="nano")
    opened = open_model("nano", tmp_path / "out")
    assert float((logits(opened.model) - answer(peer)).abs().max()) < 2e-5


def words(*special: str) -> TokenizerFile:
    """As many as the checkpoint has rows."""
    vocabulary = {token: 30 - i for i, token in enumerate(special)}
    vocabulary |= {f"w{i}": i for i in range(31 - len(special))}
    return TokenizerFile("x", str(Tokenizer(models.WordLevel(vocabulary, unk_token="w0")).to_str()), {})


@pytest.mark.parametrize(
    ("special", "end_id"),
    [(("<|endoftext|>",), 30), (("</s>", "<|endoftext|>"), 29), (("</s>",), 30), ((), None)],
    ids=str,
)
def test_a_checkpoint_ends_texts_where_its_tokenizer_does(
    special: tuple[str, ...], end_id: int | None, tmp_path: Path
) -> None:
    nanogpt_checkpoint(tmp_path / "ckpt.pt")
    (tmp_path / "t.json").write_text(words(*special).text)
    done = import_model(tmp_path / "ckpt.pt", out=tmp_path, tokenizer=tmp_path / "t.json")
    assert open_model(done.name, tmp_path).end_id == end_id
    assert len(done.model.notes) == (end_id is not None)
    assert import_model(tmp_path / "ckpt.pt", out=tmp_path, name="bare").model.end_id is None


class Harmful:
    """Its pickle calls something when it is loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("harmed",)


def test_pickles_are_refused_and_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    nanogpt_checkpoint(tmp_path / "ckpt.pt", config=Harmful())
    with pytest.raises(PortError, match="more than tensors and plain values"):
        import_model("ckpt.pt", out=out)
    (tmp_path / "old.pt").write_bytes(pickle.dumps(Harmful()))
    (tmp_path / "model.bin").write_bytes(pickle.dumps(Harmful()))
    gpt2().save_pretrained("folder")
    (tmp_path / "folder" / "model.safetensors").unlink()
    (tmp_path / "folder" / "pytorch_model.bin").write_bytes(pickle.dumps(Harmful()))
    for source in ("old.pt", "model.bin", "folder"):
        with pytest.raises(PortError, match=r"a pickle is not read.*save_pretrained"):
            import_model(source, out=out)
    torch.save({"model": {}}, "bare.pt")
    with pytest.raises(PortError, match="no model_args"):
        import_model("bare.pt", out=out)
    nanogpt_checkpoint(tmp_path / "odd.pt", model_args={"n_layer": 2})
    with pytest.raises(PortError, match="bias is missing or null"):
        import_model("odd.pt", out=out)
    assert not (tmp_path / "harmed").exists() and not out.exists()


def config(folder: Path, **changed: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


WTE, FC = "transformer.wte.weight", "transformer.h.1.mlp.c_fc.weight"


def in_parts(folder: Path, place: str) -> None:
    names = load_file(folder / "model.safetensors").keys()
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    index = {"weight_map": dict.fromkeys(names, place)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def linked(folder: Path, name: str) -> None:
    outside = folder.parent / name
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)


def dangling(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(folder.parent / "none")


BAD: dict[str, tuple[Callable[[Path], Any], type[UserError], str]] = {
    "architecture": (
        lambda f: config(f, model_type="mamba"),
        PortError,
        "model_type is 'mamba'.*known: gpt_neo, gpt2",
    ),
    "head": (lambda f: config(f, architectures=["GPT2ForSequenceClassification"]), PortError, "another head"),
    "own code": (lambda f: config(f, auto_map={"AutoModel": "x.Y"}), PortError, "auto_map"),
    "unknown key": (lambda f: config(f, attention_sinks=4), PortError, "attention_sinks = 4 is not a known key"),
    "quantised": (lambda f: config(f, quantization_config={"bits": 4}), PortError, "quantization_config"),
    "other computation": (
        lambda f: config(f, scale_attn_by_inverse_layer_idx=True),
        PortError,
        "scale_attn_by_inverse_layer_idx is True",
    ),
    "activation": (
        lambda f: config(f, activation_function="quick_gelu"),
        PortError,
        "activation_function is 'quick_gelu'",
    ),
    "heads": (lambda f: config(f, n_head=5), PortError, "num_heads = 5 .* does not divide d_model = 12"),
    "endless": (lambda f: config(f, n_layer=10**12), PortError, "n_layer is 10+, expected at most 10000 "),
    "type": (lambda f: config(f, n_layer="2"), PortError, "n_layer is '2', expected a whole number"),
    "per-layer config": (lambda f: config(f, per_layer_config={"0": {"n_head": 2}}), PortError, "per_layer_config"),
    "missing": (lambda f: weights(f, lambda t: t.pop(FC)), PortError, f"lacks the tensor {FC}"),
    "extra": (lambda f: weights(f, lambda t: t.update(x=torch.ones(2))), PortError, r"has the tensor x, which"),
    "dtype": (
        lambda f: weights(f, lambda t: t.update({FC: t[FC].to(torch.int8)})),
        PortError,
        "c_fc.weight has dtype int8",
    ),
    "dtype that float32 rounds": (
        lambda f: weights(f, lambda t: t.update({FC: t[FC].double()})),
        PortError,
        "c_fc.weight has dtype float64, expected float32, float16, bfloat16",
    ),
    "shape": (
        lambda f: weights(f, lambda t: t.update({FC: t[FC].t().contiguous()})),
        PortError,
        r"has shape \(20, 12\)",
    ),
    "layers": (lambda f: config(f, n_layer=3), PortError, r"lacks the tensors transformer\.h\.2"),
    "head unlike table": (
        lambda f: weights(f, lambda t: t.update({"lm_head.weight": t[WTE] + 1})),
        PortError,
        "differs from the token table",
    ),
    "cut file": (lambda f: os.truncate(f / "model.safetensors", 900), PortError, "not a complete safetensors file"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), PortError, r"no model\.safetensors"),
    "path in the index": (lambda f: in_parts(f, "../part.safetensors"), PortError, r"names the file '\.\./part"),
    "pickle in the index": (lambda f: in_parts(f, "part.bin"), PortError, "expected safetensors"),
    "absent part": (lambda f: in_parts(f, "other.safetensors"), PortError, "no such file"),
    "link out": (lambda f: linked(f, "model.safetensors"), PortError, "is a link to .* outside the folder"),
    "dangling tokenizer": (lambda f: (f / "tokenizer.json").symlink_to("none"), PortError, "tokenizer.json: no such"),
    "dangling generation": (lambda f: dangling(f, "generation_config.json"), PortError, "config.json: is a link to"),
    "dangling weights": (lambda f: dangling(f, "model.safetensors"), PortError, "model.safetensors: is a link to"),
    "a pickle's name": (
        lambda f: (f / "model.safetensors").write_bytes(pickle.dumps({"x": [1] * 99})),
        PortError,
        "model.safetensors: a pickle is not read",
    ),
    "a checkpoint's name": (
        lambda f: torch.save({"x": 1}, f / "model.safetensors"),
        PortError,
        "model.safetensors: a pickle is not read",
    ),
    "a cut file that starts as pickles do": (
        lambda f: (f / "model.safetensors").write_bytes(bytes([0x80, 4, 0, 0, 0, 0, 0, 0]) + b"{}"),
        PortError,
        "not a complete safetensors file",
    ),
    "linked config": (lambda f: linked(f, "config.json"), PortError, "is a link to .* outside the folder"),
    "not JSON": (lambda f: (f / "config.json").write_text("{"), DataError, "not JSON"),
    "a list": (lambda f: (f / "config.json").write_text("[]"), PortError, "expected a JSON object"),
    "tokenizer": (
        lambda f: (f / "tokenizer.json").write_text(bytes_tokenizer().text),
        TokenizerError,
        "has 259 ids, the model's vocabulary has 31",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_folder_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    spoil, error, message = BAD[name]
    folder = tmp_path / "folder"
    gpt2().save_pretrained(folder)
    spoil(folder)
    with pytest.raises(error, match=message):
        import_model(folder, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "rope_parameters"),
        (
            {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
            'rope_scaling is .*expected the type "default", which is exact: "dynamic" scales beyond max_position_embed',
        ),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5, expected 1, the whole of each head"),
        ({"head_dim": 8}, "head_dim is 8, expected None or 4"),
        ({"pretraining_tp": 2}, "pretraining_tp"),
        ({"sliding_window": 4}, "sliding_window"),
        ({"rope_interleaved": True}, "rope_interleaved is True, expected False"),
    ],
)
def test_what_a_llama_stack_cannot_do_is_refused(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path)
    config(tmp_path, **changed)
    with pytest.raises(PortError, match=message):
        read_folder(tmp_path)


def test_a_llama_folder_of_another_trainer_comes_in(tmp_path: Path) -> None:
    """Keys that SmolLM2's configs have beside Llama's."""
    llama().save_pretrained(tmp_path)
    config(tmp_path, is_llama_config=True, rope_interleaved=False)
    assert read_folder(tmp_path).spec.position.kind == "rotary"


KEYS_OF_DISTILGPT2 = {"_num_labels": 1, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
KEYS_OF_GPT2_MEDIUM = {"n_special": 0, "predict_special_tokens": True, "output_past": True}


def test_keys_that_change_no_logit_are_ignored(tmp_path: Path) -> None:
    gpt2().save_pretrained(tmp_path)
    plain = read_folder(tmp_path).spec
    config(tmp_path, **KEYS_OF_DISTILGPT2 | KEYS_OF_GPT2_MEDIUM)
    assert read_folder(tmp_path).spec == plain
    assert all(reason and keys for reason, keys in HARMLESS_BY_REASON.items())
    assert len(HARMLESS) == sum(len(keys) for keys in HARMLESS_BY_REASON.values())


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer.json"])
def test_a_byte_order_mark_is_no_content(name: str, tmp_path: Path) -> None:
    """Editors of Windows write one before UTF-8."""
    gpt2().save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(tiny_tokenizer())
    plain = read_folder(tmp_path)
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + (tmp_path / name).read_bytes())
    marked = read_folder(tmp_path)
    assert (marked.spec, marked.tokenizer, marked.end_id) == (plain.spec, plain.tokenizer, plain.end_id)
    assert read_tokenizer_file(tmp_path).load().get_vocab_size() == 30


@pytest.mark.parametrize(
    ("model_type", "changed", "message"),
    [
        ("qwen2", {"layer_types": ["sliding_attention"] * 2}, "layer_types.*needs use_sliding_window = true"),
        ("qwen2", {"layer_types": ["full_attention"]}, "layer_types is .*full_attention for each of 2 layers"),
        ("qwen2", {"use_mrope": True}, "use_mrope is True, expected False"),
        ("qwen2", {"max_window_layers": -1}, "max_window_layers is -1, expected a whole number"),
        ("mistral", {"head_dim": 8}, "head_dim is 8, expected None or 4"),
        ("mistral", {"layer_types": ["full_attention"] * 2}, "layer_types = .*is not a known key of a Mistral model"),
        ("phi3", {"auto_map": {"AutoConfig": "x.Y"}}, "auto_map is .* if it computes what the Phi-3 class .* remove"),
        ("stablelm", {"use_parallel_residual": True}, "use_parallel_residual is True, expected False"),
        ("gpt_bigcode", {"multi_query": False}, "multi_query is False, expected True"),
        ("opt", {"do_layer_norm_before": False}, "do_layer_norm_before is False, expected True"),
        ("opt", {"word_embed_proj_dim": 8}, "word_embed_proj_dim is 8, expected None or 12"),
    ],
)
def test_what_no_stack_of_a_relative_can_do_is_refused(
    model_type: str, changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    sizes = OPT if model_type == "opt" else LEARNED if model_type == "gpt_bigcode" else ROTARY
    stated = transformers.AutoConfig.for_model(model_type, **sizes).to_dict() | {"partial_rotary_factor": 1.0}
    with pytest.raises(PortError, match=message):
        form_of(stated).read(stated | changed)


def test_a_quarter_of_a_head_turns_in_stablelm_unless_its_config_says_otherwise() -> None:
    with pytest.raises(PortError, match=r"partial_rotary_factor is 0\.25, expected 1"):
        form_of({"model_type": "stablelm"}).read({"model_type": "stablelm"})


def test_a_window_as_long_as_the_context_is_none() -> None:
    """Qwen2.5's configs state windows that are not used, Mistral's some that hide nothing."""
    for config in (
        {"model_type": "qwen2", "use_sliding_window": False, "sliding_window": 4, "max_window_layers": 1},
        {"model_type": "mistral", "sliding_window": 4096, "max_position_embeddings": 4096},
    ):
        assert form_of(config).read(config).window is None


@pytest.mark.parametrize("value", ["1", True, 2.0, [True], [2, "3"], {"id": 2}])
@pytest.mark.parametrize("key", ["bos_token_id", "eos_token_id"])
def test_a_marker_that_is_no_id_is_refused(key: str, value: object, tmp_path: Path) -> None:
    gpt2().save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({key: value}))
    with pytest.raises(PortError, match=f"{key} is .*, expected a whole number, a list of them, or null"):
        read_folder(tmp_path)


@pytest.mark.parametrize("value", [31, 99_999, -1, 10**30, [99_999, 2]])
def test_a_marker_outside_the_vocabulary_is_left_out_with_a_note(
    value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gpt2().save_pretrained(tmp_path / "m")
    (tmp_path / "m" / "generation_config.json").unlink()
    config(tmp_path / "m", eos_token_id=value)
    import_(str(tmp_path / "m"), out=tmp_path)
    first = value[0] if isinstance(value, list) else value
    note = f"note: eos_token_id {first} is not an id of the vocabulary, 0 to 30, so the model has none"
    assert note in capsys.readouterr().out
    assert open_model("m", tmp_path).end_id is None


@pytest.mark.parametrize(("value", "end_id"), [(30, 30), (0, 0), ([3, 2], 3), (None, None), ([], None)])
def test_a_marker_comes_in(value: object, end_id: int | None, tmp_path: Path) -> None:
    gpt2().save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": value}))
    model = read_folder(tmp_path)
    assert (model.end_id, model.notes) == (end_id, ())


def test_a_folder_of_the_hubs_cache_keeps_its_own_links(tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshots" / "abc"
    gpt2().save_pretrained(snapshot)
    (tmp_path / "blobs").mkdir()
    for file in list(snapshot.iterdir()):
        file.rename(tmp_path / "blobs" / file.name)
        file.symlink_to(tmp_path / "blobs" / file.name)
    assert read_folder(snapshot).spec.d_model == 12


def test_files_that_are_no_models_or_tokenizers(tmp_path: Path) -> None:
    for header, message in (
        ((4, 4, 1, 1, 1, 4, 4), r"x\.bin: 28 bytes; a llama2\.c model with this header has 652"),
        ((2, 2, 2, 2, 2, 2, 2), "heads of an even size"),
        ((0x616B3432, 1, 0, 0, 0, 0, 0), "model of version 1"),
        ((0, 1, 2, 3, 4, 5, 6), "nor another known model file"),
    ):
        (tmp_path / "x.bin").write_bytes(struct.pack("<7i", *header))
        with pytest.raises(PortError, match=message):
            import_model(tmp_path / "x.bin", out=tmp_path / "out")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(PortError, match="not a minGPT model"):
        import_model(tmp_path / "x.json", out=tmp_path / "out")
    with pytest.raises(PortError, match="no such folder or file"):
        import_model(tmp_path / "none", out=tmp_path / "out")
    with pytest.raises(TokenizerError, match=r"not a llama2\.c tokenizer"):
        read_tokenizer_file(tmp_path / "x.bin")
    with pytest.raises(TokenizerError, match="not a tokenizer file"):
        read_tokenizer_file(tmp_path / "x.json")
    gpt2().save_pretrained(tmp_path / "g")
    for name in ("../g", "-x", ".g"):
        with pytest.raises(PortError, match="--name"):
            import_model(tmp_path / "g", out=tmp_path / "out", name=name)
    with pytest.raises(PortError, match=r"no config\.json; .* or name one of its files: x\.bin$"):
        import_model(tmp_path, out=tmp_path / "out")
    with pytest.raises(DataError, match=r"x\.bin: is a file; import it with `stacklab import .*x\.bin`"):
        open_model(str(tmp_path / "x.bin"), tmp_path / "out")


def test_a_folder_of_mingpt_comes_in(tmp_path: Path) -> None:
    """Its weights under their own names, without the masks; the head has its own table."""
    peer = shaken(gpt2(tie_word_embeddings=False, n_inner=48))
    weights = {name: value.t() if name.endswith(MATRICES) else value for name, value in peer.state_dict().items()}
    weights |= {f"transformer.h.{layer}.attn.bias": torch.ones(1, 1, 16, 16) for layer in range(2)}
    torch.save(weights, tmp_path / "model.pt")
    settings = {"model_type": None, "n_layer": 2, "n_head": 3, "n_embd": 12, "vocab_size": 31, "block_size": 16}
    config = {"system": {"seed": 1}, "model": settings | {"embd_pdrop": 0.1, "resid_pdrop": 0.1, "attn_pdrop": 0.1}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    import_model(tmp_path, out=tmp_path / "out", name="mini")
    opened = open_model("mini", tmp_path / "out")
    assert float((logits(opened.model) - answer(peer)).abs().max()) < 2e-5
    with pytest.raises(DataError, match="write its ids, 0 to 30"):
        opened.encode("1 31")
    with pytest.raises(DataError, match="write its ids, 0 to 30"):
        opened.encode("9" * 5000)
    assert opened.encode("1 030") == [1, 30]

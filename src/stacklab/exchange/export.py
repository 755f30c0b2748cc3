"""Exports a run or an imported model to a folder that other programs open, with a model card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError, PortError
from stacklab.base.files import exists, read_json, read_text, write_json, write_text
from stacklab.base.folders import write_folder
from stacklab.data.prepared import PreparedData, load_prepared, prepared_folder
from stacklab.data.spec import Marker
from stacklab.data.tokenizers.files import TokenizerFile
from stacklab.exchange.check_export import check_export
from stacklab.exchange.hf_folder import CONFIG, GENERATION, TOKENIZER, WEIGHTS
from stacklab.exchange.locate import locate
from stacklab.exchange.onnx import check_onnx, write_onnx
from stacklab.exchange.portable import Portable, check_vocabulary
from stacklab.model.count import count_parameters
from stacklab.model.port.form import Form
from stacklab.model.port.registry import config_of, export_tensors, form_for, form_named
from stacklab.model.spec import ModelSpec
from stacklab.run.paths import RunPaths, out_of
from stacklab.run.store import Checkpoint, best_text, read_spec, weights_of
from stacklab.tasks.data import TaskData
from stacklab.train.checkpoint import read_weights
from stacklab.train.tensor_file import save_tensors


def model_card(model: Portable, form: Form | None) -> str:
    """Front matter for the hub, what the model is, how to open it, training and scores. form: None for ONNX."""
    from huggingface_hub import ModelCard, ModelCardData

    data = ModelCardData(
        library_name="onnx" if form is None else "transformers", tags=["stacklab"], pipeline_tag="text-generation"
    )
    parts = [_what(model, form), _use(model, form), _training(model.origin), _numbers(model.origin)]
    content = f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(part for part in parts if part) + "\n"
    return str(ModelCard(content, ignore_metadata_errors=False))


def _what(model: Portable, form: Form | None) -> str:
    spec = model.spec
    rows = {
        "form": "ONNX" if form is None else f"{form.name} (`{form.architecture}`)",
        "parameters": f"{count_parameters(spec).total:,}",
        "layers": spec.num_layers,
        "width": spec.d_model,
        "heads": _layers(spec, "num_heads"),
        "feed-forward width": _layers(spec, "d_ff"),
        "context": spec.context_length,
        "vocabulary": spec.vocab_size,
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"# {model.name}\n\nA small language model, written by stacklab.\n\n| | |\n|---|---|\n{table}"


def _use(model: Portable, form: Form | None) -> str:
    note = "" if model.tokenizer is not None else "\n\nIt has no tokenizer: its inputs are ids."
    return f"## Use\n\n```python\n{_code(model, form)}\n```{note}"


def _code(model: Portable, form: Form | None) -> str:
    if form is None:
        return (
            'import onnxruntime\n\nsession = onnxruntime.InferenceSession("FOLDER/model.onnx")\n'
            '(logits,) = session.run(["logits"], {"input_ids": ids})  # ids: int64 [batch, length]'
        )
    remote = ", trust_remote_code=True" if form.files else ""
    opened = f'model = AutoModelForCausalLM.from_pretrained("FOLDER"{remote})'
    if form.files:
        registered = "stacklab.register_with_transformers(), and no trust_remote_code"
        opened = f"# Or, with stacklab installed: {registered}.\n{opened}"
    if model.tokenizer is None:
        return f"from transformers import AutoModelForCausalLM\n\n{opened}"
    tokenizer = f'tokenizer = AutoTokenizer.from_pretrained("FOLDER"{remote})'
    return f"from transformers import AutoModelForCausalLM, AutoTokenizer\n\n{opened}\n{tokenizer}"


def _training(origin: dict[str, Any]) -> str:
    if "run" not in origin:
        return f"## Origin\n\nImported from another program, in the format {origin.get('form', 'unknown')}."
    spec = origin["spec"]
    data = spec["data"]
    trained_on = f"the task {data['task']['kind']}" if "task" in data else f"data of kind {data['source']['kind']}"
    train = spec["train"]
    return (
        f"## Training\n\nRun `{origin['run']}`, seed {spec['seed']}: trained from scratch on {trained_on}, at most "
        f"{train['steps']} steps of {train['batch_size']} sequences; it {origin['result']['status']} at step "
        f"{origin['result']['step']}."
        + (f" The weights are its best ones: {origin['best']}." if "best" in origin else "")
    )


def _numbers(origin: dict[str, Any]) -> str:
    metrics = origin.get("result", {}).get("metrics", {})
    if not metrics or "best" in origin:  # The metrics are those of the final weights.
        return ""
    rows = "\n".join(f"| {name} | {value:.6g} |" for name, value in metrics.items())
    return f"## Results\n\nLosses are in nats per token.\n\n| metric | value |\n|---|---|\n{rows}"


def _layers(spec: ModelSpec, name: str) -> str:
    values = [getattr(layer, name) for layer in spec.layers]
    return str(values[0]) if len(set(values)) == 1 else ", ".join(map(str, values))


TOKENIZER_CONFIG = "tokenizer_config.json"
ONNX = "onnx"


@dataclass(frozen=True)
class Exported:
    """difference: the largest difference between the model's logits and those of the exported folder, opened by another
    program; None where that program is not installed, so that nothing was compared."""

    folder: Path
    format: str
    difference: float | None
    has_tokenizer: bool


def export_model(
    name: str, folder: str | Path, *, out: Path, format: str | None = None, checkpoint: Checkpoint = "last"
) -> Exported:
    """Write a model to a new folder. name: a run, an imported model, or a folder in another format. checkpoint: which
    weights of a run.

    format: the name of a form (model.port.registry) or onnx; None takes the first exact form. Raises PortError for
    fields that the format cannot express, and when the folder, reopened, computes other logits; MissingExtraError when
    a format needs a package that is not installed.
    """
    target = Path(folder).expanduser()
    _check_name(target)
    if exists(target) and (not target.is_dir() or any(target.iterdir())):
        raise PortError(f"{target}: exists and is not empty; choose another folder or delete it")
    located = locate(name, out, checkpoint=checkpoint)
    model = portable_run(located, checkpoint) if isinstance(located, RunPaths) else located
    form = _form(model, format)
    differences: list[float | None] = []

    def fill(aside: Path) -> None:
        if form is None:
            write_onnx(aside, model)
        else:
            write_files(model, form, aside)
        write_tokenizer(model, aside)
        write_text(aside / "README.md", model_card(model, form))
        differences.append(check_onnx(aside, model) if form is None else check_export(aside, model))

    write_folder(target, fill)
    return Exported(target, ONNX if form is None else form.name, differences[0], model.tokenizer is not None)


def _check_name(target: Path) -> None:
    """Raises PortError for a name that is not UTF-8, which other programs could not open."""
    try:
        str(target).encode()
    except UnicodeEncodeError as error:
        raise PortError(
            f"{target}: its name is not UTF-8, so other programs could not open it; choose another"
        ) from error


def _form(model: Portable, format: str | None) -> Form | None:
    """The form to write; None for ONNX, which can express every stack."""
    if format == ONNX:
        return None
    form = form_for(model.spec) if format is None else form_named(format)
    form.check(model.spec)
    return form


def write_files(model: Portable, form: Form, folder: Path) -> None:
    """Write the config, the weights, the generation settings and the files of the form."""
    ids = {"bos_token_id": model.start_id, "eos_token_id": model.end_id, "pad_token_id": model.end_id}
    write_json(folder / CONFIG, config_of(form, model.spec) | ids)
    write_json(folder / GENERATION, {name: value for name, value in ids.items() if value is not None})
    save_tensors(folder / WEIGHTS, export_tensors(form, model.spec, model.tensors), {"format": "pt"})
    for file in form.files:
        write_text(folder / file.name, read_text(file))


def write_tokenizer(model: Portable, folder: Path) -> None:
    """Write the tokenizer, if the model has one, and its settings for transformers."""
    if model.tokenizer is not None:
        check_vocabulary(model.tokenizer, model.spec)
        write_text(folder / TOKENIZER, model.tokenizer.text)
        write_json(folder / TOKENIZER_CONFIG, _tokenizer_config(model))


def _tokenizer_config(model: Portable) -> dict[str, Any]:
    assert model.tokenizer is not None
    added = json.loads(model.tokenizer.text).get("added_tokens") or []
    tokens = {token["id"]: token["content"] for token in added if token.get("special")}
    by_id = {ident: token for token, ident in model.tokenizer.load().get_vocab().items()}
    named = {"bos_token": model.start_id, "eos_token": model.end_id, "pad_token": model.end_id}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.spec.context_length,
        "clean_up_tokenization_spaces": False,
        **{name: by_id[ident] for name, ident in named.items() if ident in by_id},
        "extra_special_tokens": [token for ident, token in tokens.items() if ident not in named.values()],
    }


def portable_run(run: RunPaths, checkpoint: Checkpoint = "last") -> Portable:
    """The model of a finished run with its final or its best weights. Runs over a synthetic task have no tokenizer.

    Raises DataError for an unfinished run, PortError for a compact vocabulary.
    """
    if not run.result.exists():
        raise DataError(f"{run.folder}: has no final weights yet; `stacklab status` shows its progress")
    spec = read_spec(run)
    origin = {"run": run.run_id, "spec": spec.dump(), "result": read_json(run.result)}
    if checkpoint == "best":
        origin["best"] = best_text(run)
    tensors = read_weights(weights_of(run, checkpoint))
    # How the weights began is no part of the model.
    model = spec.model.model_copy(update={"start_from": None})
    if isinstance(spec.data, TaskData):
        return Portable(run.run_id, model, tensors, None, None, None, origin)
    data = load_prepared(prepared_folder(out_of(run).cache, spec.data_fingerprint))
    if data.manifest["unknown_id"] is not None:
        raise PortError(
            f"{run.folder}: its vocabulary is compact: ids were renumbered and unused ones merged, which no tokenizer "
            "file can express; train with data.vocabulary=full to export"
        )
    start_id = data.manifest["tokenizer"]["marker_ids"].get(Marker.END_OF_TEXT.value)
    return Portable(run.run_id, model, tensors, _tokenizer(data), start_id, data.end_id, origin)


def _tokenizer(data: PreparedData) -> TokenizerFile:
    """The tokenizer as the run used it, without special tokens added around a text."""
    facts = data.manifest["tokenizer"]
    content: dict[str, Any] = read_json(data.folder / "tokenizer.json")
    if (content.get("post_processor") or {}).get("type") != "ByteLevel":  # ByteLevel only shifts offsets
        content["post_processor"] = None
    markers = {Marker(marker): token for marker, token in facts["marker_tokens"].items()}
    return TokenizerFile(facts["name"], json.dumps(content, ensure_ascii=False), markers)

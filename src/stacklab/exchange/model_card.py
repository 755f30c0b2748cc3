"""The README.md of an exported model, with the numbers of the run's result.json."""

from typing import Any

from stacklab.exchange.portable import Portable
from stacklab.model.count import count_parameters
from stacklab.model.port.form import Form
from stacklab.model.spec import ModelSpec


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
    )


def _numbers(origin: dict[str, Any]) -> str:
    metrics = origin.get("result", {}).get("metrics", {})
    if not metrics:
        return ""
    rows = "\n".join(f"| {name} | {value:.6g} |" for name, value in metrics.items())
    return f"## Results\n\nLosses are in nats per token.\n\n| metric | value |\n|---|---|\n{rows}"


def _layers(spec: ModelSpec, name: str) -> str:
    values = [getattr(layer, name) for layer in spec.layers]
    return str(values[0]) if len(set(values)) == 1 else ", ".join(map(str, values))

"""The forms of model folders, by name and by config."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stacklab.base.errors import PortError
from stacklab.base.text import shown
from stacklab.model.port.form import Config, Form
from stacklab.model.port.gpt2 import BIGCODE, GPT, GPT2
from stacklab.model.port.gpt_neo import GPT_NEO, OPT
from stacklab.model.port.links import to_ours, to_theirs
from stacklab.model.port.llama import LLAMA, MISTRAL, PHI3, QWEN2, STABLELM, STARCODER2
from stacklab.model.port.own import OWN
from stacklab.model.sharing import stored
from stacklab.model.spec import ModelSpec

FORMS: tuple[Form, ...] = (GPT_NEO, GPT2, QWEN2, LLAMA, MISTRAL, PHI3, STARCODER2, STABLELM, GPT, BIGCODE, OPT, OWN)
"""Where several are exact, the first is written: the most widely supported one, unless a stack lacks what that always
has."""

HEAD, TABLE = "lm_head.weight", "token_embedding.weight"


def form_named(name: str) -> Form:
    """The form of that name. Raises PortError when there is none."""
    for form in FORMS:
        if form.name == name:
            return form
    raise PortError(f"no format is called {name!r}; known: {', '.join(form.name for form in FORMS)} and onnx")


def form_for(spec: ModelSpec) -> Form:
    """The first of FORMS that is exact. Raises PortError when there is none, with the misfits of the last."""
    for form in FORMS:
        if not form.misfits(spec):
            return form
    FORMS[-1].check(spec)
    raise AssertionError("the last form has misfits")


def form_of(config: Config) -> Form:
    """The form of a config. Raises PortError for an architecture that is not known."""
    kind, classes = config.get("model_type"), config.get("architectures") or []
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise PortError(f"config: architectures is {shown(classes)}, expected a list of names")
    for form in FORMS:
        if form.model_type != kind:
            continue
        stem = form.architecture.removesuffix("LMHeadModel").removesuffix("ForCausalLM")
        for name in classes:
            if name not in (form.architecture, f"{stem}Model"):
                raise PortError(
                    f"config: architectures names {shown(name)}, expected {form.architecture}: a model that ends in "
                    "another head does not predict the next token"
                )
        return form
    known = ", ".join(form.model_type for form in FORMS)
    raise PortError(
        f"config: model_type is {shown(kind)} ({shown(classes)}), an architecture not known here; known: {known}"
    )


def import_tensors(form: Form, spec: ModelSpec, tensors: Mapping[str, Tensor], *, where: str) -> dict[str, Tensor]:
    """Our tensors, from those of a folder. Raises PortError for missing or unknown ones, and for wrong shapes."""
    named = {name: value for name, value in tensors.items() if not name.endswith(form.ignored or ("\0",))}
    if form.prefix and not any(name.startswith(form.prefix) for name in named):
        named = {name if name == HEAD else form.prefix + name: value for name, value in named.items()}
    head = named.pop(HEAD, None) if spec.tie_embeddings else None
    held = len(stored(spec.share, "attention", spec.layers))
    if len(named) < held:
        raise PortError(f"{where}: holds {len(named)} tensors, too few for the {held} layers of its config")
    ours = to_ours(form.links(spec), named, where=where)
    if head is not None and not (head.shape == ours[TABLE].shape and head.float().equal(ours[TABLE])):
        raise PortError(
            f"{where}: {HEAD} differs from the token table, which its config ties it to (tie_word_embeddings); "
            "set that to false in config.json if the head has its own table"
        )
    return ours


def export_tensors(form: Form, spec: ModelSpec, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A folder's tensors, from ours."""
    return to_theirs(form.links(spec), ours)


def config_of(form: Form, spec: ModelSpec) -> dict[str, Any]:
    """The config.json of a stack, without the ids of markers."""
    return {
        "model_type": form.model_type,
        "architectures": [form.architecture],
        "dtype": "float32",
        **form.write(spec),
    }

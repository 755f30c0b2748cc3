"""The settings that a stack of models supports: the allow-list of StackedTransformer. No torch here."""

from stacklab.model.residual import PLACEMENTS
from stacklab.model.spec import ModelSpec

FIELDS = {
    *("vocab_size", "d_model", "num_layers", "num_heads", "d_ff", "context_length", "init", "norm", "activation"),
    *("mask", "window", "attention_pattern", "position", "attention_scale", "attention_identity", "residual"),
    *("linear_bias", "token_table", "tie_embeddings", "dropout", "attention_dropout", "share"),
}
"""The fields of ModelSpec that a stack computes with; any other must have its default or be zero."""

NORM_KINDS = ("layer",)


def unsupported(spec: ModelSpec) -> str | None:
    """The first setting of a model that a stack does not support, as `name = value`; None when all are supported."""
    plain = ModelSpec(dropout=0.0, attention_dropout=0.0)
    for field in ModelSpec.model_fields:
        value = getattr(spec, field)
        dropped = field == "layer_drop" and any(layer.layer_drop for layer in spec.layers)
        if dropped or (field not in FIELDS | {"layer_drop"} and value != getattr(plain, field)):
            return f"{field} = {value}"
        if field in KINDS and (kind := KINDS[field](spec)) is not None:
            return f"{field}.{kind}"
    return None


def _norm(spec: ModelSpec) -> str | None:
    if spec.norm.kind not in NORM_KINDS:
        return f"kind = {spec.norm.kind}"
    return None if PLACEMENTS[spec.norm.placement].stacks else f"placement = {spec.norm.placement}"


def _position(spec: ModelSpec) -> str | None:
    return None if spec.position.stacks else f"kind = {spec.position.kind}"


def _residual(spec: ModelSpec) -> str | None:
    return None if spec.residual.kind == "plain" else f"kind = {spec.residual.kind}"


KINDS = {"norm": _norm, "position": _position, "residual": _residual}
"""Fields with kinds of which some are not supported: returns the unsupported kind of a model, or None."""

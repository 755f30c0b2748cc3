"""The stack as built, part by part from the tokens upwards, with the parameters of each."""

from stacklab.base.spec import Items, Spec
from stacklab.model.count import count_parameters, norm_parameters
from stacklab.model.masks import MASKS
from stacklab.model.residual import PLACEMENTS
from stacklab.model.sharing import SubLayer, stored
from stacklab.model.spec import LayerSpec, ModelSpec

NORMS = {"layer": "LayerNorm", "rms": "RMSNorm"}


class Part(Spec):
    """A piece of the stack as built. `parameters` None: it has none of its own."""

    name: str
    detail: str
    parameters: int | None = None


class Architecture(Spec):
    """From the tokens upwards: `before`, then `block` repeated, then `after`."""

    before: Items[Part]
    block: Items[Part]
    repeat: int
    block_parameters: int
    """Of all blocks together."""
    after: Items[Part]


def architecture(spec: ModelSpec) -> Architecture:
    count = count_parameters(spec)
    norm = norm_parameters(spec, spec.d_model)
    final = (Part(name=NORMS[spec.norm.kind], detail="final", parameters=norm),) if spec.norm.has_final else ()
    block = (*_attention_part(spec, count.attention, norm), *_feed_forward_part(spec, count.feed_forward, norm))
    return Architecture(
        before=_embeddings(spec, count.token_embedding, count.position_embedding),
        block=block,
        repeat=spec.num_layers,
        block_parameters=sum(part.parameters or 0 for part in block),
        after=(*final, _head(spec, count.head)),
    )


def by_layer(values: tuple[object, ...]) -> str:
    """One value when all layers share it, else the list, bottom layer first.

    >>> by_layer((8, 8, 8)), by_layer((8, 4, 2))
    ('8', '8 / 4 / 2')
    """
    if len(set(values)) == 1:
        return str(values[0])
    return " / ".join(str(value) for value in values)


def _embeddings(spec: ModelSpec, tokens: int, positions: int) -> tuple[Part, ...]:
    table = f"{spec.vocab_size:,} × {spec.d_model}" + (", frozen" if spec.token_table == "frozen" else "")
    parts = [Part(name="Token embedding", detail=table, parameters=tokens)]
    if spec.position.adds_rows:
        parts.append(Part(name="Position embedding", detail=_positions(spec), parameters=positions or None))
    if PLACEMENTS[spec.norm.placement].embedding_norm:
        own = norm_parameters(spec, spec.d_model)
        parts.append(Part(name=NORMS[spec.norm.kind], detail="of embeddings", parameters=own))
    if spec.dropout:
        parts.append(Part(name="Dropout", detail=f"{spec.dropout:g}"))
    return tuple(parts)


def _positions(spec: ModelSpec) -> str:
    return spec.position.describe(context_length=spec.context_length, d_model=spec.d_model)


def _attention_part(spec: ModelSpec, parameters: int, norm: int) -> tuple[Part, ...]:
    """Attention with its norm and residual; parameters are those of all blocks together, `norm` is of one norm."""
    if not spec.layers:
        return ()
    part = Part(name=MASKS[spec.mask].title, detail=_attention(spec), parameters=parameters)
    return _with_norms(spec, part, len(stored(spec.share, "attention", spec.layers)) * norm)


def _feed_forward_part(spec: ModelSpec, parameters: int, norm: int) -> tuple[Part, ...]:
    widths = [layer.d_ff for layer in spec.layers]
    if not any(widths):
        return ()
    shown = by_layer(tuple(width or "none" for width in widths))
    inner = f"gated by {spec.activation}" if spec.feed_forward == "gated" else spec.activation
    parts = [f"{spec.d_model} → {shown} → {spec.d_model}, {inner}", *_shared(spec, "feed_forward")]
    having = sum(layer.d_ff > 0 for layer in stored(spec.share, "feed_forward", spec.layers))
    return _with_norms(spec, Part(name="Feed-forward", detail=", ".join(parts), parameters=parameters), having * norm)


def _with_norms(spec: ModelSpec, part: Part, parameters: int) -> tuple[Part, ...]:
    """A sub-layer in the order of its placement; `parameters` are those of one norm of it in all blocks together."""
    norm = Part(name=NORMS[spec.norm.kind], detail=f"{spec.norm.placement}-norm", parameters=parameters)
    add = Part(name="add", detail=spec.residual.describe(spec.num_branches))
    steps = {"branch": part, "add": add}
    return tuple(steps.get(step, norm) for step in PLACEMENTS[spec.norm.placement].order)


def _attention(spec: ModelSpec) -> str:
    layers = spec.layers
    heads = by_layer(tuple(layer.num_heads for layer in layers))
    sizes = by_layer(tuple(spec.d_model // layer.num_heads for layer in layers))
    parts = [f"{heads} heads of {sizes}"]
    if any(layer.num_kv_heads < layer.num_heads for layer in layers):
        parts.append(f"{by_layer(tuple(layer.num_kv_heads for layer in layers))} of keys and values")
    if spec.qk_norm != "none":
        parts.append(f"queries and keys normed by {spec.qk_norm}")
    if spec.position.acts_in_attention:
        parts.append(_positions(spec))
    if any(layer.attention_pattern is not None for layer in layers):
        parts.append(by_layer(tuple(_seen(layer) for layer in layers)))
    elif any(layer.window is not None for layer in layers):
        parts.append(f"window {by_layer(tuple(layer.window or 'all' for layer in layers))}")
    if spec.attention_scale == "none":
        parts.append("scores not scaled")
    if spec.attention_identity is not None:
        parts.append(f"identity term from {spec.attention_identity:g}")
    if any(layer.layer_drop for layer in layers):
        parts.append(f"layer drop {by_layer(tuple(f'{layer.layer_drop:g}' for layer in layers))}")
    return ", ".join([*parts, *_shared(spec, "attention")])


def _shared(spec: ModelSpec, part: SubLayer) -> tuple[str, ...]:
    """Which layers use the same weights, as the numbers of their blocks."""
    if spec.share is None or spec.share.part not in ("layer", part):
        return ()
    blocks = spec.share.of_layers(spec.num_layers)
    return (f"weights shared: {by_layer(blocks)}" if any(blocks) else "weights shared by all layers",)


def _seen(layer: LayerSpec) -> str:
    if layer.attention_pattern is not None:
        return layer.attention_pattern.describe()
    return "all" if layer.window is None else f"window {layer.window:,}"


def _head(spec: ModelSpec, parameters: int) -> Part:
    if spec.tie_embeddings:
        return Part(name="Head", detail="tied to the token embedding")
    return Part(name="Head", detail=f"{spec.d_model} × {spec.vocab_size:,}", parameters=parameters)

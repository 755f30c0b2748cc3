"""The stack as built, part by part from the tokens upwards, with the parameters of each."""

from stacklab.model.count import count_parameters
from stacklab.model.spec import ModelSpec
from stacklab.report.schema import Architecture, Part

ADD = Part(name="add", detail="residual")


def architecture(spec: ModelSpec) -> Architecture:
    count = count_parameters(spec)
    norm = spec.d_model * (2 if spec.norm.bias else 1)
    final = (norm,) if spec.norm.placement == "pre" else ()
    return Architecture(
        before=_embeddings(spec, count.token_embedding, count.position_embedding),
        block=_block(spec, count.attention, count.feed_forward, len(spec.layers) * norm),
        repeat=spec.num_layers,
        block_parameters=count.attention + count.feed_forward + len(spec.layers) * 2 * norm,
        after=(*(Part(name="LayerNorm", detail="final", parameters=norm) for norm in final), _head(spec, count.head)),
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
    parts = [Part(name="Token embedding", detail=f"{spec.vocab_size:,} × {spec.d_model}", parameters=tokens)]
    if spec.position == "learned":
        detail = f"learned, {spec.context_length:,} × {spec.d_model}"
        parts.append(Part(name="Position embedding", detail=detail, parameters=positions))
    elif spec.position == "sinusoidal":
        parts.append(Part(name="Position embedding", detail=f"sinusoidal, {spec.context_length:,} positions"))
    if spec.dropout:
        parts.append(Part(name="Dropout", detail=f"{spec.dropout:g}"))
    return tuple(parts)


def _block(spec: ModelSpec, attention: int, feed_forward: int, norms: int) -> tuple[Part, ...]:
    """The parts of one block; parameters are those of all blocks together, `norms` of one of the two norms."""
    norm = Part(name="LayerNorm", detail=f"{spec.norm.placement}-norm", parameters=norms)
    if not spec.layers:
        return ()
    first = Part(name="Causal attention", detail=_attention(spec), parameters=attention)
    widths = by_layer(tuple(layer.d_ff for layer in spec.layers))
    detail = f"{spec.d_model} → {widths} → {spec.d_model}, {spec.activation}"
    second = Part(name="Feed-forward", detail=detail, parameters=feed_forward)
    if spec.norm.placement == "pre":
        return norm, first, ADD, norm, second, ADD
    return first, ADD, norm, second, ADD, norm


def _attention(spec: ModelSpec) -> str:
    layers = spec.layers
    heads = by_layer(tuple(layer.num_heads for layer in layers))
    sizes = by_layer(tuple(spec.d_model // layer.num_heads for layer in layers))
    parts = [f"{heads} heads of {sizes}"]
    if any(layer.window is not None for layer in layers):
        parts.append(f"window {by_layer(tuple(layer.window or 'all' for layer in layers))}")
    if any(layer.layer_drop for layer in layers):
        parts.append(f"layer drop {by_layer(tuple(f'{layer.layer_drop:g}' for layer in layers))}")
    return ", ".join(parts)


def _head(spec: ModelSpec, parameters: int) -> Part:
    if spec.tie_embeddings:
        return Part(name="Head", detail="tied to the token embedding")
    return Part(name="Head", detail=f"{spec.d_model} × {spec.vocab_size:,}", parameters=parameters)

"""Memory of training on a card, in closed form. No torch here."""

from stacklab.model.count import (
    FLOAT_BYTES,
    Memory,
    count_parameters,
    further_norms,
    hidden_vectors,
    normed_numbers,
    outer_norm_vectors,
    projected,
    vocab_size,
)
from stacklab.model.ops.piece_size import loss_bytes, loss_rows
from stacklab.model.residual import PLACEMENTS
from stacklab.model.spec import LayerSpec, ModelSpec


def estimate_card_memory(
    spec: ModelSpec,
    *,
    micro_batch: int,
    context: int,
    loss_chunk_rows: int,
    optimizer_tensors: int,
    product_bytes: int,
    dropout: bool,
    masks: int = 0,
) -> Memory:
    """Bytes that torch allocates on a card at the peak of a step: at the loss, when all activations are held.

    Counted from what autograd keeps in eager blocks, with fused attention; compiled blocks keep less.
    product_bytes: of a number in products, 2 or 4; below 4, weights of linear maps have a copy for each
    layer that computes with them. dropout: whether masks
    are kept. The part `scores` is that of a window or a pattern, whose attention takes a matrix; with packed records,
    every layer keeps one per sequence: masks, as in estimate_memory.
    """
    parameters = count_parameters(spec)
    positions, rows = micro_batch * context, min(loss_chunk_rows, micro_batch * context)
    low = product_bytes < FLOAT_BYTES
    rows = loss_rows(positions, chunk_rows=rows, vocab=vocab_size(spec), device_type="cuda")
    kept = sum(_kept_on_card(spec, layer, product_bytes, dropout) for layer in spec.layers)
    copied = count_parameters(spec.model_copy(update={"share": None}))
    copies = product_bytes * (copied.total - copied.token_embedding - copied.position_embedding) if low else 0
    needs_matrix = any(spec.visibility(layer).needs_matrix for layer in spec.layers)
    return Memory(
        weights=parameters.total * FLOAT_BYTES + copies,
        gradients=parameters.trained * FLOAT_BYTES,
        optimizer=optimizer_tensors * parameters.trained * FLOAT_BYTES,
        activations=positions * (kept + spec.d_model * FLOAT_BYTES * (1 + outer_norm_vectors(spec))),
        scores=_matrices(spec, product_bytes, masks) * context**2 if masks or needs_matrix else 0,
        loss_chunk=loss_bytes(
            positions,
            rows=rows,
            vocab=vocab_size(spec),
            width=spec.d_model,
            product_bytes=product_bytes,
            wide_products=low,
            compiled=low,
        ),
    )


def _matrices(spec: ModelSpec, product_bytes: int, masks: int) -> int:
    """Bytes of mask matrices for a pair of positions."""
    return masks * (2 + product_bytes * len(spec.layers)) if masks else 1 + product_bytes


def _kept_on_card(spec: ModelSpec, layer: LayerSpec, product_bytes: int, dropout: bool) -> int:
    """Bytes that autograd keeps of a position in a layer.

    The stream in fp32 and the input of the linear map at each sub-layer, queries, keys, values and heads' output, the
    feed-forward's inner vectors, and masks of a byte. RMSNorm keeps its input once more. Norms of branches, queries and
    keys keep their input in fp32, and attention the normed queries and keys; a trained factor keeps its branch.
    """
    parts = 2 if layer.d_ff else 1
    norm = FLOAT_BYTES * (2 if spec.norm.kind == "rms" else 1)
    stream = (norm * (1 + further_norms(spec)) + product_bytes) * spec.d_model
    if spec.residual.trained:
        wide = PLACEMENTS[spec.norm.placement].norms_branch
        stream += (FLOAT_BYTES if wide else product_bytes) * spec.d_model
    heads = product_bytes * (projected(spec, layer) + spec.d_model) + FLOAT_BYTES * layer.num_heads
    # In fp32 the input of the norm is what the linear map returned, which is counted already.
    cast = 0 if product_bytes == FLOAT_BYTES else FLOAT_BYTES
    heads += (norm - FLOAT_BYTES + cast + product_bytes) * normed_numbers(spec, layer)
    inner = product_bytes * hidden_vectors(spec) * layer.d_ff
    return parts * (stream + (spec.d_model if dropout else 0)) + heads + inner

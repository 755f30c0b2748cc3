"""Closed formulas for parameters, FLOPs and memory; tests compare them with the built model and torch's counter.

Parameters are counted as stored, once for all layers that share them; FLOPs and activations as executed.
"""

from dataclasses import dataclass
from typing import Literal

from stacklab.model.masks import visible_pairs
from stacklab.model.ops.piece_size import piece_elements
from stacklab.model.residual import PLACEMENTS
from stacklab.model.sharing import stored
from stacklab.model.spec import LayerSpec, ModelSpec

Quantity = Literal["total_parameters", "non_embedding_parameters", "flops_per_token"]
QUANTITIES: tuple[Quantity, ...] = ("total_parameters", "non_embedding_parameters", "flops_per_token")

FLOAT_BYTES = 4
EVALUATED = 16
"""Sequences of text that are evaluated at a time."""


@dataclass(frozen=True)
class Parameters:
    """Numbers of scalars by part. A tied head counts once, under `token_embedding`; the trained factor of a branch
    under the branch, and the norms of queries and keys under `attention`.

    frozen: number of them that are never trained.
    """

    token_embedding: int
    position_embedding: int
    attention: int
    feed_forward: int
    norms: int
    head: int
    frozen: int

    @property
    def trained(self) -> int:
        return self.total - self.frozen

    @property
    def total(self) -> int:
        return self.token_embedding + self.position_embedding + self.non_embedding + self.head

    @property
    def non_embedding(self) -> int:
        """Without token and position tables and without an untied head (Kaplan et al. 2020's convention)."""
        return self.attention + self.feed_forward + self.norms


def count_parameters(spec: ModelSpec) -> Parameters:
    vocab, width = vocab_size(spec), spec.d_model
    norm = norm_parameters(spec, width)
    outer = spec.norm.has_final + PLACEMENTS[spec.norm.placement].embedding_norm
    factors = spec.residual.trained
    return Parameters(
        token_embedding=vocab * width,
        position_embedding=spec.position.rows(spec.context_length) * width,
        attention=sum(_attention(spec, layer) for layer in stored(spec.share, "attention", spec.layers))
        + factors * len(spec.layers),
        feed_forward=sum(_feed_forward(spec, layer) for layer in stored(spec.share, "feed_forward", spec.layers))
        + factors * sum(layer.d_ff > 0 for layer in spec.layers),
        norms=_stored_norms(spec) * norm + outer * norm,
        head=0 if spec.tie_embeddings else vocab * width,
        frozen=vocab * width if spec.token_table == "frozen" else 0,
    )


def _stored_norms(spec: ModelSpec) -> int:
    """Number of norms in all layers; those of a shared sub-layer are shared with it."""
    having = len(stored(spec.share, "attention", spec.layers)) + sum(
        layer.d_ff > 0 for layer in stored(spec.share, "feed_forward", spec.layers)
    )
    return len(PLACEMENTS[spec.norm.placement].norms) * having


def norm_parameters(spec: ModelSpec, width: int) -> int:
    """Parameters of one norm of `width` numbers."""
    return width * (2 if spec.norm.bias else 1)


def _norms(spec: ModelSpec, layer: LayerSpec) -> int:
    """Number of norms in a layer."""
    return len(PLACEMENTS[spec.norm.placement].norms) * (2 if layer.d_ff else 1)


def flops_per_token(spec: ModelSpec, *, context: int) -> int:
    """Floating-point operations of training on one token: forward, and twice that for backward.

    A multiply-add is two operations. Attention is counted as it is computed, dense over `context` positions (masks and
    windows save nothing here); look-ups, norms and activations are left out, as torch's counter does.
    """
    width = spec.d_model
    multiply_adds = vocab_size(spec) * width
    for layer in spec.layers:
        multiply_adds += width * (projected(spec, layer) + width + _maps(spec) * layer.d_ff)
        multiply_adds += context * _of_a_pair(spec, layer)
    return 2 * (3 * multiply_adds - _gradients_left_out(spec))


def visible_flops_per_token(spec: ModelSpec, *, context: int) -> int:
    """`flops_per_token` if attention computed only the pairs of query and key that mask, window and pattern show.

    A mean over the positions of a sequence of `context`, rounded up: what a kernel that skips all hidden pairs needs.
    """
    hidden = sum(
        (context**2 - visible_pairs(spec.visibility(layer), context)) * _of_a_pair(spec, layer) for layer in spec.layers
    )
    return flops_per_token(spec, context=context) - 6 * hidden // context


def _of_a_pair(spec: ModelSpec, layer: LayerSpec) -> int:
    """Multiply-adds of a pair of query and key: of its scores, which the identity term and some positions widen in each
    head, and of the values."""
    wider = (0 if spec.attention_identity is None else spec.d_model) + spec.position.extra_columns
    return 2 * spec.d_model + layer.num_heads * wider


def _attention(spec: ModelSpec, layer: LayerSpec) -> int:
    width, bias = spec.d_model, spec.linear_bias
    mapped = projected(spec, layer)
    biases = mapped * bias.query_key_value + width * bias.output
    identity = 0 if spec.attention_identity is None else layer.num_heads
    return width * (mapped + width) + biases + identity + _head_norms(spec, layer)


def _head_norms(spec: ModelSpec, layer: LayerSpec) -> int:
    """Parameters of the norms of queries and keys."""
    if spec.qk_norm == "none":
        return 0
    head_size = spec.d_model // layer.num_heads
    heads = 2 if spec.qk_norm == "head" else layer.num_heads + layer.num_kv_heads
    return norm_parameters(spec, heads * head_size)


def projected(spec: ModelSpec, layer: LayerSpec) -> int:
    """Width of a layer's queries, keys and values together."""
    return spec.d_model + 2 * layer.num_kv_heads * (spec.d_model // layer.num_heads)


def _feed_forward(spec: ModelSpec, layer: LayerSpec) -> int:
    if not layer.d_ff:
        return 0
    inner = (_maps(spec) - 1) * layer.d_ff
    biases = spec.linear_bias.feed_forward * (inner + spec.d_model)
    return spec.d_model * (inner + layer.d_ff) + biases


def _maps(spec: ModelSpec) -> int:
    """Number of matrices of a feed-forward."""
    return 3 if spec.feed_forward == "gated" else 2


def _gradients_left_out(spec: ModelSpec) -> int:
    """Multiply-adds of the first matrix's input gradient, where nothing below that matrix is trained."""
    width = spec.d_model
    if spec.token_table == "trained" or spec.position.rows(spec.context_length):
        return 0
    if PLACEMENTS[spec.norm.placement].embedding_norm:
        return 0
    if not spec.layers:
        return 0 if spec.norm.has_final else vocab_size(spec) * width
    return 0 if PLACEMENTS[spec.norm.placement].norm_first else width * projected(spec, spec.layers[0])


def measure(spec: ModelSpec, quantity: Quantity, *, context: int) -> int:
    """The value of a quantity by which a control can be matched."""
    if quantity == "flops_per_token":
        return flops_per_token(spec, context=context)
    parameters = count_parameters(spec)
    return parameters.total if quantity == "total_parameters" else parameters.non_embedding


@dataclass(frozen=True)
class Memory:
    """Bytes of one training process by use, on a CPU in fp32 or on a card."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    scores: int
    loss_chunk: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations + self.scores + self.loss_chunk


def estimate_memory(
    spec: ModelSpec, *, micro_batch: int, context: int, loss_chunk_rows: int, optimizer_tensors: int, masks: int = 0
) -> Memory:
    """An estimate for planning: memory in use at the start of the backward pass. Its constants were fitted to peaks
    measured on a CPU, including fragmentation by the allocator.

    optimizer_tensors: number of tensors of the parameter's size that the optimiser keeps per trained parameter.
    masks: matrices of T x T that tell packed records apart, one per sequence of a micro-batch; 0 for one stream.

    Per position a layer keeps about 11 vectors of width d_model (two norms' inputs and outputs, queries, keys, values,
    heads' output twice, masks, fragmentation) and 2 of width d_ff, 4 where it is gated; 8 of d_model when it has no
    feed-forward. The identity term keeps 2 more for each head, RMSNorm 1 for each norm. Queries and keys changed by
    positions are kept beside the unchanged ones, unless keys and values are shared: these are kept as copies for all
    heads, the map's output only while queries are part of it. A second norm of a sub-layer and a norm of embeddings
    keep one vector more, norms of queries and keys what they return, a trained factor its branch. The layer in its
    backward pass holds the same amount again for either its attention or its feed-forward part.
    """
    parameters = count_parameters(spec)
    positions, width = micro_batch * context, spec.d_model
    kept = sum(_kept(spec, layer) for layer in spec.layers) + 5 * width + outer_norm_vectors(spec) * width
    at_work = max((max(12 * width, 3 * width + hidden_vectors(spec) * layer.d_ff) for layer in spec.layers), default=0)
    return Memory(
        weights=parameters.total * FLOAT_BYTES,
        gradients=parameters.trained * FLOAT_BYTES,
        optimizer=optimizer_tensors * parameters.trained * FLOAT_BYTES,
        activations=positions * (kept + at_work) * FLOAT_BYTES,
        scores=_held_scores(spec, micro_batch=micro_batch, context=context, masks=masks),
        loss_chunk=min(loss_chunk_rows, positions) * vocab_size(spec) * FLOAT_BYTES,
    )


def _kept(spec: ModelSpec, layer: LayerSpec) -> int:
    vectors = 11 if layer.d_ff else 8
    if spec.attention_identity is not None:
        vectors += 2 * layer.num_heads
    if spec.norm.kind == "rms":
        vectors += _norms(spec, layer)
    changed, is_shared = spec.position.acts_in_attention, layer.num_kv_heads < layer.num_heads
    if changed and not is_shared:
        vectors += 2
    shared = projected(spec, layer) - spec.d_model if is_shared and not changed else 0
    parts = 2 if layer.d_ff else 1
    vectors += parts * (further_norms(spec) + spec.residual.trained)
    shared += normed_numbers(spec, layer) * (2 if spec.norm.kind == "rms" else 1)
    return vectors * spec.d_model + shared + hidden_vectors(spec) * layer.d_ff


def further_norms(spec: ModelSpec) -> int:
    """Number of norms of a sub-layer beyond the first."""
    return max(0, len(PLACEMENTS[spec.norm.placement].norms) - 1)


def outer_norm_vectors(spec: ModelSpec) -> int:
    """Number of vectors of width d_model that the norm of the embeddings keeps."""
    has_norm = PLACEMENTS[spec.norm.placement].embedding_norm
    return has_norm * (2 if spec.norm.kind == "rms" else 1)


def normed_numbers(spec: ModelSpec, layer: LayerSpec) -> int:
    """Width of a layer's queries and keys together where they are normed, else 0."""
    return 0 if spec.qk_norm == "none" else (projected(spec, layer) + spec.d_model) // 2


def hidden_vectors(spec: ModelSpec) -> int:
    """Number of vectors of width d_ff that a feed-forward keeps."""
    return 4 if spec.feed_forward == "gated" else 2


def all_scores(spec: ModelSpec, *, micro_batch: int, context: int) -> int:
    """Bytes of all B x heads x T^2 scores of the layer with most heads, which attention never holds at once."""
    return micro_batch * max((layer.num_heads for layer in spec.layers), default=0) * context**2 * FLOAT_BYTES


def _held_scores(spec: ModelSpec, *, micro_batch: int, context: int, masks: int) -> int:
    """Peak bytes of attention scores and of their mask.

    With dropout, pieces are computed one after another in both passes: scores, probabilities, mask and gradient of a
    piece, and as much again in fragmentation, since pieces grow along the queries. Without dropout, torch's fused
    kernel holds a block of scores, which is negligible; a window or a pattern then costs a mask of T x T, computed from
    integers and kept as floats by every layer. Evaluation has no dropout, so it always costs that mask once. Packed
    records take such a mask for each sequence, in pieces with dropout, and for EVALUATED of them in evaluation.
    """
    piece, held, each = 0, 0, 8 * max(1, masks)
    for layer in spec.layers:
        if spec.attention_dropout:
            elements = piece_elements(micro_batch * layer.num_heads, context, spec.visibility(layer).reach)
            piece = max(piece, (10 if masks else 8) * elements * FLOAT_BYTES)
        if masks or spec.visibility(layer).needs_matrix:
            held = each if spec.attention_dropout else held + each
    if masks and spec.layers:
        held = max(0 if spec.attention_dropout else held, 8 * EVALUATED)
    return max(piece, (held + 4) * context**2 if held else 0)


def vocab_size(spec: ModelSpec) -> int:
    assert spec.vocab_size is not None, "vocab_size is filled in when a study is planned"
    return spec.vocab_size

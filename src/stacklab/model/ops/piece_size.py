"""Sizes of the pieces in which dropped attention and the loss are computed. No torch here: plans use them too."""

import math

QUERY_BLOCK = 128
PIECE_ELEMENTS = 2**19
LOSS_BYTES = 5 * 2**29
"""Bytes of logits in fp32 at a time on a card: 4,096 rows of 151,665 ids fit. It is a constant, so that results do not
depend on how much memory happens to be free."""

ALL_LOGITS = 2**25
"""Logits of a batch, up to which a stack of runs holds them all: 128 MiB in fp32 for each run."""


def holds_all_logits(num_rows: int, *, vocab: int) -> bool:
    """Whether a stack of runs computes the logits of a batch at once, rather than run by run in chunks of rows.

    It depends on the batch of one run alone, so that no run of the stack changes the numbers of another.
    """
    return num_rows * vocab <= ALL_LOGITS


VOCAB_MULTIPLE = 64
"""An odd vocabulary would keep cards from their fastest products, which need aligned rows."""


def padded_vocab(vocab: int) -> int:
    """The number of logits of a row in low precision and on cards: the next multiple of VOCAB_MULTIPLE."""
    return math.ceil(vocab / VOCAB_MULTIPLE) * VOCAB_MULTIPLE


def heads_at_once(size: int) -> int:
    """Number of heads, over all sequences, in one piece on a CPU, for sequences of `size` positions."""
    return max(1, PIECE_ELEMENTS // (QUERY_BLOCK * size))


def piece_elements(groups: int, size: int, reach: int | None) -> int:
    """Number of scores in the largest piece of `groups` heads (over all sequences) and `size` positions.

    reach: the largest distance of a visible key; None is no limit.
    """
    queries = min(QUERY_BLOCK, size)
    keys = size if reach is None else min(size, queries + reach)
    return min(groups, heads_at_once(size)) * queries * keys


def loss_rows(num_rows: int, *, chunk_rows: int, vocab: int, device_type: str) -> int:
    """Number of rows of logits that the loss computes at a time, at least 1.

    On a CPU `chunk_rows`. Elsewhere as many as LOSS_BYTES hold, at least `chunk_rows`, in chunks of equal size: large
    products suit a card, and few chunks mean few additions to the table's gradient.
    """
    if device_type == "cpu":
        return chunk_rows
    most = max(chunk_rows, LOSS_BYTES // (4 * vocab))
    return math.ceil(num_rows / math.ceil(num_rows / most)) if num_rows else 1


def loss_bytes(
    num_rows: int, *, rows: int, vocab: int, width: int, product_bytes: int, wide_products: bool, compiled: bool
) -> int:
    """Peak bytes of `chunked_loss` beside its inputs and the gradient of the table.

    rows: of logits at a time (`loss_rows`). product_bytes: of a number in the products. wide_products: whether these
    are written in fp32 (`chunked_loss.has_wide_products`). compiled: whether its softmax pass is.

    Held throughout: the table and the rows (twice, as fp16 needs) in the format of the products, and the gradient of
    the rows in fp32. In addition, either logits and their gradient, or that gradient and one chunk's product for the
    table. The plain softmax pass also keeps exp(logit) in fp32, and logits in fp32 if the product did not write them
    so.
    """
    low = product_bytes < 4
    written = 4 if wide_products or not low else product_bytes
    copies = product_bytes * (vocab + 2 * num_rows) * width if low else 0
    plain = 0 if compiled else 4 + (4 if written < 4 else 0)
    gradient = product_bytes if low or compiled else 0
    softmax = rows * vocab * (written + plain + gradient)
    products = rows * vocab * product_bytes + vocab * width * written
    return copies + 4 * num_rows * width + max(softmax, products)

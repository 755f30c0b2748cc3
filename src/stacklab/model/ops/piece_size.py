"""Sizes of the pieces of dropped attention. No torch here: plans use them too."""

QUERY_BLOCK = 128
PIECE_ELEMENTS = 2**19


def heads_at_once(size: int) -> int:
    """Number of heads, over all sequences, in one piece on a CPU, for sequences of `size` positions."""
    return max(1, PIECE_ELEMENTS // (QUERY_BLOCK * size))


def piece_elements(groups: int, size: int, window: int | None) -> int:
    """Number of scores in the largest piece of `groups` heads (over all sequences) and `size` positions."""
    queries = min(QUERY_BLOCK, size)
    keys = size if window is None else min(size, queries + window - 1)
    return min(groups, heads_at_once(size)) * queries * keys

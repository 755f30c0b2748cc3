"""How large the pieces of dropped attention are. No torch here: plans count with it too."""

QUERY_BLOCK = 128
PIECE_ELEMENTS = 2**19


def heads_at_once(size: int) -> int:
    """Heads, of all sequences together, that one piece takes on a CPU when `size` positions see each other."""
    return max(1, PIECE_ELEMENTS // (QUERY_BLOCK * size))


def piece_elements(groups: int, size: int, window: int | None) -> int:
    """Scores in the largest piece of `groups` heads (of all sequences together) over `size` positions."""
    queries = min(QUERY_BLOCK, size)
    keys = size if window is None else min(size, queries + window - 1)
    return min(groups, heads_at_once(size)) * queries * keys

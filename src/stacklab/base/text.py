"""Text of others, as it may be shown to a reader, a terminal or a page."""

LONGEST = 200


def visible(text: str) -> str:
    """Control characters by their numbers, line ends and tabs kept: neither HTML nor a terminal should meet them.

    >>> visible("a" + chr(7) + "b")
    'a\\\\x07b'
    """
    return "".join(c if c in "\n\t" or c.isprintable() else repr(c)[1:-1] for c in text)


def cut(text: str, most: int = LONGEST) -> str:
    """
    >>> cut("abcdef", 3)
    'abc... (6 characters)'
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def shown(value: object) -> str:
    """A value that someone else wrote, as a message quotes it: on one line, and not longer than a message can be."""
    try:
        return cut(visible(repr(value)))
    except (ValueError, RecursionError):
        # Whole numbers of thousands of digits; lists in lists in lists.
        return f"a value of type {type(value).__name__}, too large to be shown"

"""Text from outside, made safe for a message, a terminal or a page."""

LONGEST = 200


def visible(text: str) -> str:
    """The text with control characters escaped, except line ends and tabs: they may harm a terminal or a page.

    >>> visible("a" + chr(7) + "b")
    'a\\\\x07b'
    """
    return "".join(c if c in "\n\t" or c.isprintable() else repr(c)[1:-1] for c in text)


def cut(text: str, most: int = LONGEST) -> str:
    """The first `most` characters; where text is cut, with its full length.

    >>> cut("abcdef", 3)
    'abc... (6 characters)'
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def shown(value: object) -> str:
    """A value from outside as a message quotes it: on one line, and of limited length."""
    try:
        return cut(visible(repr(value)))
    except (ValueError, RecursionError):
        # Integers of thousands of digits; deeply nested lists.
        return f"a value of type {type(value).__name__}, too large to be shown"

"""Numbers formatted for reading."""


def count(value: float) -> str:
    """A count with a decimal suffix.

    >>> count(60_207_744)
    '60.21 M'
    """
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.2f} {suffix}"
    return f"{value:g}"


def size(value: float) -> str:
    """Bytes with a binary suffix.

    >>> size(3 * 2**30)
    '3.00 GiB'
    """
    for unit, suffix in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(value) >= unit:
            return f"{value / unit:.2f} {suffix}"
    return f"{value:.0f} B"


def duration(seconds: float) -> str:
    """Seconds as a duration.

    >>> duration(3725)
    '1 h 02 min'
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"

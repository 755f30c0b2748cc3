"""One colour and one marker per arm, the same in every figure and table.

The colours are Okabe and Ito's (Color Universal Design, 2008): colour-blind readers can tell them apart, and they are
legible on light and on dark ground. Their yellow and black are not, so grey takes the seventh place. They go from cool
to warm, for sweeps. Further arms repeat the colours with other markers.
"""

from stacklab.report.facts.arms import ArmFact

COLORS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#808080")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down")


def color(index: int) -> str:
    return COLORS[index % len(COLORS)]


def symbol(index: int) -> str:
    """The marker, as plotly names it; shifted by one on each repetition of the colours."""
    return SYMBOLS[(index + index // len(COLORS)) % len(SYMBOLS)]


def color_of(arm: ArmFact) -> str:
    return color(arm.place)


def symbol_of(arm: ArmFact) -> str:
    return symbol(arm.place)

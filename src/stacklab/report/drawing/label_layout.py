"""The side of its point that each label is placed on, so that labels of points close together stay legible."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from stacklab.report.drawing.figure import Axis, LabelSide, Points

LETTER, LINE = 0.0155, 0.06
"""Width of a letter and height of a line, as shares of a panel of two columns, in either renderer."""
ASIDE, APART = 0.025, 0.035
"""Distance of a label from its point across and along, as such shares."""
TOWARDS: dict[LabelSide, tuple[int, int]] = {
    "right": (1, 0),
    "above": (0, 1),
    "below": (0, -1),
    "left": (-1, 0),
    "above right": (1, 1),
    "below right": (1, -1),
    "above left": (-1, 1),
    "below left": (-1, -1),
}
"""Across and along; in the order in which sides are taken when nothing speaks against them."""
ROUNDS = 6
OVERLAP, OUTSIDE, COVERED, GIVEN = 100.0, 50.0, 1.0, 0.1
"""The cost of a side: per letter printed over another one, per letter outside of the panel, per point hidden; and the
bonus of the side that the label was given with."""
HIDDEN = 1.0
"""An overlap below this is not visible."""


class _Box(NamedTuple):
    left: float
    right: float
    low: float
    high: float


def placed(points: Sequence[Points], x: Axis, y: Axis) -> list[Points]:
    """The points with the sides of their labels chosen.

    Each label in turn takes the side that hides least, until no label improves by moving. If labels are still hidden,
    the search is repeated from another first label, and the best result is kept. The side that a label was given with
    wins a tie.
    """
    labelled = [index for index, mark in enumerate(points) if mark.labels]
    dots = [(_share(x, at), _share(y, height)) for mark in points for at, height in zip(mark.x, mark.y, strict=True)]
    options = [
        {side: _Option(_boxes(points[index], side, x, y), dots, side == points[index].label_side) for side in TOWARDS}
        for index in labelled
    ]
    best: tuple[float, list[LabelSide]] = (math.inf, [])
    for first in range(len(labelled)):
        turns = [*range(first, len(labelled)), *range(first)]
        best = min(best, _settled(options, [points[index].label_side for index in labelled], turns))
        if best[0] < HIDDEN:
            break
    sides = dict(zip(labelled, best[1], strict=True))
    return [replace(mark, label_side=sides.get(index, mark.label_side)) for index, mark in enumerate(points)]


class _Option:
    """One side of a label: its boxes, and its cost without regard to other labels."""

    def __init__(self, boxes: Sequence[_Box], dots: Sequence[tuple[float, float]], given: bool) -> None:
        outside = sum(_common(box, box) - _common(box, _Box(0, 1, 0, 1)) for box in boxes) / LETTER / LINE
        hidden = sum(box.left < at < box.right and box.low < height < box.high for box in boxes for at, height in dots)
        self.boxes, self.cost = boxes, OUTSIDE * outside + COVERED * hidden - GIVEN * given

    def over(self, others: Sequence["_Option"]) -> float:
        """The cost of printing over the others."""
        shared = sum(_common(box, taken) for box in self.boxes for other in others for taken in other.boxes)
        return OVERLAP * shared / LETTER / LINE


def _settled(
    options: Sequence[dict[LabelSide, _Option]], sides: list[LabelSide], turns: Sequence[int]
) -> tuple[float, list[LabelSide]]:
    """The remaining cost of labels that print over one another, and the sides."""

    def over(label: int, side: LabelSide) -> float:
        return options[label][side].over([options[one][sides[one]] for one in turns if one != label])

    for _ in range(ROUNDS):
        before = list(sides)
        for label in turns:
            costs = {side: option.cost + over(label, side) for side, option in options[label].items()}
            sides[label] = min(costs, key=costs.__getitem__)
        if sides == before:
            break
    return sum(over(label, sides[label]) for label in turns), sides


def _common(one: _Box, other: _Box) -> float:
    across = min(one.right, other.right) - max(one.left, other.left)
    along = min(one.high, other.high) - max(one.low, other.low)
    return max(across, 0.0) * max(along, 0.0)


def _boxes(mark: Points, side: LabelSide, x: Axis, y: Axis) -> list[_Box]:
    across, along = TOWARDS[side]
    return list(_of_labels(mark, across, along, x, y))


def _of_labels(mark: Points, across: int, along: int, x: Axis, y: Axis) -> Iterator[_Box]:
    for label, at, height in zip(mark.labels, mark.x, mark.y, strict=False):
        wide = LETTER * len(label)
        middle = _share(x, at) + across * (ASIDE + wide / 2)
        centre = _share(y, height) + along * (APART + LINE / 2)
        yield _Box(middle - wide / 2, middle + wide / 2, centre - LINE / 2, centre + LINE / 2)


def _share(axis: Axis, value: float) -> float:
    """The position of a value along its axis, from 0 to 1."""
    low, high, at = (
        (math.log(one) for one in (axis.low, axis.high, value)) if axis.log else (axis.low, axis.high, value)
    )
    return (at - low) / (high - low)

"""Why values do not allow a statistic: the reasons that `Undefined` carries. An empty text means that they do."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROUNDING = 1e-12
"""Values that differ by less than this share of the largest are taken as equal."""

LARGEST = 1e100
"""Larger values allow no statistic: their cubes, which the bootstrap needs, exceed the range of floats."""


def not_finite(values: Sequence[float], *, what: str = "value") -> str:
    """The first value that is NaN, infinite or too large to compute with; empty if there is none.

    >>> not_finite([0.5, float("nan")]), not_finite([1e200])
    ('value 2 of 2 is nan', 'value 1 of 1 is 1e+200, too large to compute with')
    """
    for number, value in enumerate(values, start=1):
        if not math.isfinite(value):
            return f"{what} {number} of {len(values)} is {value:g}"
        if abs(value) > LARGEST:
            return f"{what} {number} of {len(values)} is {value:g}, too large to compute with"
    return ""


def no_spread(values: Sequence[float]) -> bool:
    """Whether all values are equal up to rounding."""
    return max(values) - min(values) <= ROUNDING * max(abs(value) for value in values)


def flat_rows(values_RN: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """`no_spread` of each of R rows."""
    import numpy as np

    low_R, high_R = values_RN.min(axis=1), values_RN.max(axis=1)
    flat_R: NDArray[np.bool_] = high_R - low_R <= ROUNDING * np.maximum(np.abs(low_R), np.abs(high_R))
    return flat_R


def too_few(values: Sequence[float], least: int, *, what: str = "pairs") -> str:
    """Says so when there are fewer than `least` values; empty otherwise."""
    return f"needs {least} {what}, has {len(values)}" if len(values) < least else ""


def differences_problem(differences: Sequence[float], *, least: int = 2) -> str:
    """Why paired differences allow no interval: too few, not finite, or without spread. Empty if they do."""
    if reason := too_few(differences, least) or not_finite(differences, what="difference"):
        return reason
    if no_spread(differences):
        return f"all {len(differences)} differences are {differences[0]:g}: no spread to judge by"
    return ""


def arms_problem(arm: Sequence[float], against: Sequence[float], *, least: int) -> str:
    """Why the values of two arms allow no comparison: too few in one of them, or not finite. Empty if they do."""
    for name, values in (("the arm", arm), ("the arm compared with", against)):
        if len(values) < least:
            return f"{name} needs {least} {'value' if least == 1 else 'values'}, has {len(values)}"
        if reason := not_finite(values):
            return f"{name}: {reason}"
    return ""


def pairs_problem(arm: Sequence[float], against: Sequence[float], *, least: int) -> str:
    """As `arms_problem` for values paired by position. Raises ValueError where the arms differ in length."""
    if len(arm) != len(against):
        raise ValueError(f"{len(arm)} values against {len(against)}: pairs need as many on both sides")
    return too_few(arm, least) or arms_problem(arm, against, least=least)

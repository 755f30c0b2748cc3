"""The patterns of templates as points, as two layers of attention compute them, and how to separate them."""

import numpy as np

from stacklab.base.errors import SpecError
from stacklab.interp.construct.blueprint import Floats
from stacklab.tasks.parts.templates import patterns


def place_weights(places: int, *, ratio: float) -> Floats:
    """1, ratio, ratio^2, ... scaled to the sum 1. With equal weights, ABAB and ABBA would be the same point."""
    raw_k = ratio ** np.arange(places, dtype=np.float64)
    weight_k: Floats = raw_k / raw_k.sum()
    return weight_k


def pattern_points(templates: tuple[str, ...], *, ratio: float) -> Floats:
    """[K, k] the point of each template.

    Each place marks the occurrences of its symbol so far: 1/n at its n places, itself included. The point is the
    mean of these over the places, weighted by `place_weights`.

    >>> pattern_points(("AA", "AB"), ratio=2).round(3).tolist()
    [[0.667, 0.333], [0.333, 0.667]]
    """
    wildcard_Kk = patterns(templates)
    same_Kkk = np.tril(wildcard_Kk[:, :, None] == wildcard_Kk[:, None, :])
    return np.asarray(
        place_weights(wildcard_Kk.shape[1], ratio=ratio) @ (same_Kkk / same_Kkk.sum(axis=2, keepdims=True))
    )


def nearest(points_KP: Floats) -> tuple[Floats, Floats]:
    """Weights and biases of a linear readout, by point, for which the nearest point to a vector scores highest, by 1 or
    more where the vector is one of the points."""
    apart_KK = np.square(points_KP[:, None] - points_KP).sum(axis=2)
    least = apart_KK[apart_KK > 0].min()
    return 2 * points_KP / least, -np.square(points_KP).sum(axis=1, keepdims=True) / least


def comparison(points_KP: Floats) -> Floats:
    """W [P, P] such that x^T W y is greater by 1 or more for y = x than for every other point y. Of all such W, one
    whose largest entry is smallest (by a linear program).

    Raises SpecError where there is none.
    """
    from scipy.optimize import linprog

    places = points_KP.shape[1]
    limits = [-np.append(np.outer(x, x - y).ravel(), 0.0) for x in points_KP for y in points_KP if (x != y).any()]
    bounded = [np.append(sign * row, -1.0) for row in np.eye(places**2) for sign in (-1.0, 1.0)]
    solved = linprog(
        np.append(np.zeros(places**2), 1.0),
        A_ub=np.array(limits + bounded),
        b_ub=np.append(-np.ones(len(limits)), np.zeros(len(bounded))),
        bounds=[(None, None)] * (places**2 + 1),
    )
    if solved.status != 0:
        raise SpecError(
            f"templates: no bilinear score separates these {len(points_KP)} patterns of {places} places, at any "
            "sharpness; use fewer templates"
        )
    return np.asarray(solved.x[:-1]).reshape(places, places)

"""The patterns of templates as points, as two layers of attention compute them, and how to tell them apart."""

import numpy as np

from stacklab.base.errors import SpecError
from stacklab.interp.construct.blueprint import Floats
from stacklab.tasks.templates import patterns


def place_weights(places: int) -> Floats:
    """1, 2, 4, ... scaled to the sum 1: with equal weights, patterns such as ABAB and ABBA would give one point."""
    raw = 2.0 ** np.arange(places)
    return raw / raw.sum()


def pattern_points(templates: tuple[str, ...]) -> Floats:
    """[K, k] the point of each template.

    Each place holds where its symbol stands so far: 1/n at the n places up to and including itself. The point is the
    mean of these over the places, weighted by `place_weights`.

    >>> pattern_points(("AA", "AB")).round(3).tolist()
    [[0.667, 0.333], [0.333, 0.667]]
    """
    wildcard_Kk = patterns(templates)
    same_Kkk = np.tril(wildcard_Kk[:, :, None] == wildcard_Kk[:, None, :])
    return np.asarray(place_weights(wildcard_Kk.shape[1]) @ (same_Kkk / same_Kkk.sum(axis=2, keepdims=True)))


def nearest(points_KP: Floats) -> tuple[Floats, Floats]:
    """Per point what a linear readout multiplies a vector with, and adds, so that the nearest point wins."""
    return 2 * points_KP, -np.square(points_KP).sum(axis=1, keepdims=True)


def comparison(points_KP: Floats) -> Floats:
    """W [P + 1, P + 1] such that x^T W y, with a 1 added to both points, is greater by 1 or more for y = x than for
    every other y. Of all such W one whose largest entry is least (a linear program).

    Raises SpecError where there is none.
    """
    from scipy.optimize import linprog

    rows_KQ = np.hstack((points_KP, np.ones((len(points_KP), 1))))
    size = rows_KQ.shape[1] ** 2
    limits = [
        -np.append(np.outer(x, x - y).ravel(), 0.0) for x in rows_KQ for y in rows_KQ if (x != y).any()
    ]
    bounded = [np.append(sign * row, -1.0) for row in np.eye(size) for sign in (-1.0, 1.0)]
    solved = linprog(
        np.append(np.zeros(size), 1.0),
        A_ub=np.array(limits + bounded),
        b_ub=np.append(-np.ones(len(limits)), np.zeros(len(bounded))),
        bounds=[(None, None)] * (size + 1),
    )
    if solved.status != 0:
        raise SpecError(
            f"templates: no linear comparison tells {len(points_KP)} patterns of {points_KP.shape[1]} places apart; "
            "give fewer templates"
        )
    return np.asarray(solved.x[:-1]).reshape(rows_KQ.shape[1], -1)

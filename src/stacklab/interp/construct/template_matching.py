"""Template matching in two layers of one head: each symbol attends to its occurrences, the `?` collects their slots.

The deciding scores of parsing differ by at least 2, times the sharpness. Collecting is not sharp: its weights 1 : 2 : 4
follow from the differences of its scores, and keep the places apart. The stack: attention only, causal, one head per
layer or any number that share its moves, no norm, learned positions, read at the `?`.
"""

import numpy as np

from stacklab.interp.construct.blueprint import Blueprint, Head, Layer, Residual, Term, codes, copy, shared
from stacklab.interp.construct.patterns import nearest, pattern_points, place_weights
from stacklab.tasks.template_matching import TemplateMatching

RATIO = 2
"""Ratio of the weights of neighbouring places. A larger one would crowd the points of long templates."""


def template_matching(task: TemplateMatching, *, sharpness: float, heads: int | None) -> Blueprint:
    ids, places = codes(task.vocab_size), task.length - 1
    points, shift = nearest(pattern_points(task.templates, ratio=RATIO))
    parsing = Head(
        "every symbol attends to its occurrences up to itself and stores their slots",
        (Term(("token",), ("token",), sharpness),),
        (copy("slot", "parsed", places),),
    )
    collecting = Head(
        "the ? attends to all symbols, each with twice the weight of the one before it, and sums the stored slots",
        (Term(("one",), ("rank",), 1.0),),
        (copy("parsed", "pattern", places),),
    )
    answers = np.zeros((task.vocab_size, places)), np.zeros((task.vocab_size, 1))
    answers[0][task.readout], answers[1][task.readout] = points, shift
    return Blueprint(
        exercise=task,
        residual=Residual(token=ids.shape[1], one=1, rank=1, slot=places, parsed=places, pattern=places),
        tokens={"token": ids},
        positions={
            "one": np.ones((task.length, 1)),
            "slot": np.eye(places),
            "rank": np.append(np.log(place_weights(places, ratio=RATIO)), -sharpness)[:, None],
        },
        layers=shared((Layer("parsing", (parsing,)), Layer("collecting", (collecting,))), heads),
        readout={"pattern": answers[0], "one": answers[1]},
        sharpness=sharpness,
    )

"""In-context template matching in three layers of one head: parse, copy the pattern of the string, match patterns.

The deciding scores differ by at least 2 in parsing and copying (within a string, copying weights places as 1 : 4 : 16)
and by at least 1 in matching, times the sharpness. The stack: attention only, causal, one head per layer or any number
that share its moves, no norm, factored positions, read at the last symbol of each string.
"""

import numpy as np

from stacklab.interp.construct.blueprint import Blueprint, Head, Layer, Residual, Term, codes, copy, shared
from stacklab.interp.construct.patterns import comparison, pattern_points, place_weights
from stacklab.tasks.in_context_template_matching import InContextTemplateMatching

RATIO = 4
"""Ratio of the weights of neighbouring places: so large that a score can compare all patterns of up to four places."""


def in_context_template_matching(task: InContextTemplateMatching, *, sharpness: float, heads: int | None) -> Blueprint:
    ids, strings, places = codes(task.vocab_size), codes(task.strings), len(task.templates[0])
    same_string = Term(("string",), ("string",), sharpness)
    parsing = Head(
        "every symbol attends to its occurrences in its own string, up to itself, and stores their slots",
        (Term(("token",), ("token",), sharpness), same_string),
        (copy("slot", "parsed", places),),
    )
    copying = Head(
        "the last symbol and the label attend to the symbols of their own string, each with four times the weight of "
        "the one before it, and store the string's pattern",
        (same_string, Term(("one",), ("rank",), 1.0)),
        (copy("parsed", "pattern", places),),
    )
    form = comparison(pattern_points(task.templates, ratio=RATIO))
    # The coordinates of a pattern have the sum 1, so no score is further from zero than the largest entry.
    labels_only = Term(("one",), ("label",), sharpness * (1 + float(np.abs(form).max())))
    matching = Head(
        "the last symbol attends to the labels of earlier strings with its own pattern and copies their label",
        (Term(("pattern",), ("pattern",), sharpness, form), labels_only),
        (copy("token", "result", ids.shape[1]),),
    )
    answers = np.zeros_like(ids)
    answers[task.readout] = ids[task.readout]
    return Blueprint(
        exercise=task,
        residual=Residual(
            token=ids.shape[1],
            one=1,
            rank=1,
            label=1,
            string=strings.shape[1],
            slot=places,
            parsed=places,
            pattern=places,
            result=ids.shape[1],
        ),
        tokens={"token": ids},
        positions={
            "one": np.ones((places + 1, 1)),
            "slot": np.eye(places),
            "rank": np.append(np.log(place_weights(places, ratio=RATIO)), -sharpness)[:, None],
            "label": np.append(-np.ones(places), 1.0)[:, None],
        },
        groups={"string": strings},
        period=places + 1,
        layers=shared(
            (Layer("parsing", (parsing,)), Layer("copying", (copying,)), Layer("matching", (matching,))), heads
        ),
        readout={"result": answers},
        sharpness=sharpness,
    )

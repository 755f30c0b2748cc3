"""Template matching, three ways; all attention only, causal, no norm.

template_matching: two layers of one head. Each symbol attends to its occurrences, the `?` collects their slots. The
deciding scores of parsing differ by at least 2, times the sharpness. Collecting is not sharp: its weights 1 : 2 : 4
follow from the differences of its scores, and keep the places apart. One head per layer or any number that share its
moves, learned positions, read at the `?`.

template_matching_one_layer: ONE layer with many heads, which is why a claim about depth must state the number of heads.
A softmax that weights two symbols by a number assigned to each returns nearly the greater number. Minus the mean of
both, that is half their distance: 0 for equal symbols, about 1/2 or more for others. So a head per pair of places and a
head per place test all equalities at once, and a linear readout decides. A template gains 1 for each pair that it
requires to be equal, and loses 4 n times half the distance there, where n is the number of pairs. A template that
requires too much loses about 2 n and gains at most n; of the others, the true one gains most. Learned positions, read
at the `?`; seen and unseen symbols alike.

in_context_template_matching: three layers of one head. Parse, copy the pattern of the string, match patterns. The
deciding scores differ by at least 2 in parsing and copying (within a string, copying weights places as 1 : 4 : 16) and
by at least 1 in matching, times the sharpness. Factored positions, read at the last symbol of each string.
"""

from itertools import combinations

import numpy as np

from stacklab.base.errors import SpecError
from stacklab.interp.construct.blueprint import (
    Blueprint,
    Floats,
    Head,
    Layer,
    Residual,
    Term,
    codes,
    copy,
    move,
    shared,
)
from stacklab.interp.construct.patterns import comparison, nearest, pattern_points, place_weights
from stacklab.tasks.in_context_template_matching import InContextTemplateMatching
from stacklab.tasks.parts.templates import patterns
from stacklab.tasks.template_matching import TemplateMatching

PATTERN_RATIO = 2
"""Ratio of the weights of neighbouring places. A larger one would crowd the points of long templates."""


def template_matching(task: TemplateMatching, *, sharpness: float, heads: int | None) -> Blueprint:
    ids, places = codes(task.vocab_size), task.length - 1
    points, shift = nearest(pattern_points(task.templates, ratio=PATTERN_RATIO))
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
            "rank": np.append(np.log(place_weights(places, ratio=PATTERN_RATIO)), -sharpness)[:, None],
        },
        layers=shared((Layer("parsing", (parsing,)), Layer("collecting", (collecting,))), heads),
        readout={"pattern": answers[0], "one": answers[1]},
        sharpness=sharpness,
    )


Pair = tuple[int, int]


def template_matching_one_layer(task: TemplateMatching, *, sharpness: float, heads: int | None) -> Blueprint:
    places, pairs = task.length - 1, _pairs(task)
    groups: list[tuple[int, ...]] = [(place,) for place in range(places)] + list(pairs)
    if heads not in (None, len(groups)):
        raise SpecError(f"--heads {heads}: expected {places} places + {len(pairs)} pairs = {len(groups)} heads")
    value_V1 = _values(task)
    # Places outside a head's must have no weight beside the least number of all.
    out = -sharpness * (2 + 2 * float(np.ptp(value_V1)))
    look_TG = np.full((task.length, len(groups)), out)
    for number, group in enumerate(groups):
        look_TG[list(group), number] = 0.0
    layer = tuple(_head(group, number, len(groups), sharpness) for number, group in enumerate(groups))
    answers = np.zeros((task.vocab_size, len(groups))), np.zeros((task.vocab_size, 1))
    answers[0][task.readout], answers[1][task.readout] = _readout(task, pairs)
    return Blueprint(
        exercise=task,
        residual=Residual(value=1, one=1, look=len(groups), result=len(groups)),
        tokens={"value": value_V1},
        positions={"one": np.ones((task.length, 1)), "look": look_TG},
        layers=(Layer("comparing", layer),),
        readout={"result": answers[0], "one": answers[1]},
        sharpness=sharpness,
    )


def _pairs(task: TemplateMatching) -> tuple[Pair, ...]:
    """The pairs of places that some template requires to be equal."""
    wildcard_Kk = patterns(task.templates)
    return tuple(
        (i, j) for i, j in combinations(range(task.length - 1), 2) if (wildcard_Kk[:, i] == wildcard_Kk[:, j]).any()
    )


def _values(task: TemplateMatching) -> Floats:
    """A whole number for each symbol, 0 in the middle; 0 for other ids."""
    symbols = task.train_symbols + task.unseen_symbols
    value_V1 = np.zeros((task.vocab_size, 1))
    value_V1[:symbols, 0] = np.arange(symbols) - symbols // 2
    return value_V1


def _head(group: tuple[int, ...], number: int, count: int, sharpness: float) -> Head:
    unit = np.eye(count)[[number]]
    there = Term(("one",), ("look",), 1.0, unit)
    moves = (move("value", "result", unit),)
    if len(group) == 1:
        return Head(f"the ? attends to place {group[0] + 1} and copies its number", (there,), moves)
    greater = Term(("one",), ("value",), sharpness)
    says = f"the ? attends to the greater number at places {group[0] + 1} and {group[1] + 1} and copies it"
    return Head(says, (there, greater), moves)


def _readout(task: TemplateMatching, pairs: tuple[Pair, ...]) -> tuple[Floats, Floats]:
    """Weights and biases of the readout of each template on the heads' outputs."""
    places = task.length - 1
    weight_KG = np.zeros((len(task.templates), places + len(pairs)))
    bias_K1 = np.zeros((len(task.templates), 1))
    for template, wildcard_k in enumerate(patterns(task.templates)):
        for number, (i, j) in enumerate(pairs):
            if wildcard_k[i] == wildcard_k[j]:
                weight_KG[template, [i, j]] += 2.0 * len(pairs)
                weight_KG[template, places + number] -= 4.0 * len(pairs)
                bias_K1[template] += 1
    # Every template has 1 more, so that the right one exceeds ids that are not templates.
    return weight_KG, bias_K1 + 1


STRING_RATIO = 4
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
    form = comparison(pattern_points(task.templates, ratio=STRING_RATIO))
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
            "rank": np.append(np.log(place_weights(places, ratio=STRING_RATIO)), -sharpness)[:, None],
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

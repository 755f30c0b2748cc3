"""Template matching in ONE layer, with many heads: why a claim about depth must state the number of heads.

A softmax that weights two symbols by a number assigned to each returns nearly the greater number. Minus the mean of
both, that is half their distance: 0 for equal symbols, about 1/2 or more for others. So a head per pair of places and a
head per place test all equalities at once, and a linear readout decides. A template gains 1 for each pair that it
requires to be equal, and loses 4 n times half the distance there, where n is the number of pairs. A template that
requires too much loses about 2 n and gains at most n; of the others, the true one gains most.

The stack: attention only, causal, no norm, learned positions, read at the `?`. Seen and unseen symbols alike.
"""

from itertools import combinations

import numpy as np

from stacklab.base.errors import SpecError
from stacklab.interp.construct.blueprint import Blueprint, Floats, Head, Layer, Residual, Term, move
from stacklab.tasks.parts.templates import patterns
from stacklab.tasks.template_matching import TemplateMatching

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

"""Sequence classification in one layer: each head sums the votes of the symbols at the places it attends to.

The `?` has no content to compare, so a head's scores are one number per place, and its output is a sum of one vector
per symbol and place: the classes are a linear readout of these features. H heads and V symbols make H (V - 1) + 1
independent features, which is the number of sequences with arbitrary classes that such a stack can hold. With a head
for each place, a head sees one symbol, and the features are all (place, symbol) pairs.

The stack: attention only, causal, no norm, learned positions, read at the `?`. How sharply a head excludes other places
only has to be known, since the votes are solved for with it; the sharpness is that of a head's own places.
"""

import numpy as np

from stacklab.base.errors import SpecError
from stacklab.base.streams import numpy_stream
from stacklab.interp.construct.blueprint import Blueprint, Floats, Head, Layer, Residual, Term, move
from stacklab.tasks.sequence_classification import SequenceClassification


def sequence_classification(task: SequenceClassification, *, sharpness: float, heads: int | None) -> Blueprint:
    count = task.sequence_length if heads is None else heads
    if count > task.sequence_length:
        raise SpecError(f"--heads {count}: expected at most one per place of the sequence, {task.sequence_length}")
    scores_TH = _scores(task, sharpness, count)
    votes = _votes(task, scores_TH)
    width, classes = task.vocab_size, task.classes
    layer = tuple(
        Head(
            f"the ? attends to {_places(head, task, count)} and adds the votes of the symbols there",
            (Term(("one",), ("look",), 1.0, np.eye(count)[[head]]),),
            (move("token", "votes", votes[head]),),
        )
        for head in range(count)
    )
    answers = np.zeros((width, classes))
    answers[task.readout] = np.eye(classes)
    return Blueprint(
        exercise=task,
        residual=Residual(token=width, one=1, look=count, votes=classes),
        tokens={"token": np.eye(width)},
        positions={"one": np.ones((task.length, 1)), "look": scores_TH},
        layers=(Layer("mapping", layer),),
        readout={"votes": answers},
        sharpness=sharpness,
    )


def _scores(task: SequenceClassification, sharpness: float, heads: int) -> Floats:
    """[T, H] head h attends to places h, h + H, h + 2 H, ..., each with half the weight of the one before."""
    scores_TH = np.full((task.length, heads), -sharpness)
    for place in range(task.sequence_length):
        scores_TH[place, place % heads] = -np.log(2.0) * (place // heads)
    return scores_TH


def _votes(task: SequenceClassification, scores_TH: Floats) -> Floats:
    """[H, V, C] by least squares to 1 for the class and 0 for others. Raises SpecError for a misread sequence."""
    batch = task.draw(numpy_stream(0, "construct", "table"), task.sequences)
    share_TH = np.exp(scores_TH) / np.exp(scores_TH).sum(axis=0)
    present_NTV = np.eye(task.vocab_size)[batch.tokens_BT]
    features_NF: Floats = np.einsum("th,ntv->nhv", share_TH, present_NTV).reshape(task.sequences, -1)
    answer_N = batch.targets_BT[:, -1] - task.readout[0]
    votes_FC = np.linalg.lstsq(features_NF, np.eye(task.classes)[answer_N], rcond=1e-10)[0]
    wrong = int(((features_NF @ votes_FC).argmax(axis=1) != answer_N).sum())
    if wrong:
        heads = scores_TH.shape[1]
        raise SpecError(
            f"heads x (symbols - 1) + 1 = {heads} x {task.symbols - 1} + 1 = {heads * (task.symbols - 1) + 1} features "
            f"do not hold {task.sequences} sequences: {wrong} are misread; use fewer sequences or more heads"
        )
    votes_HVC: Floats = votes_FC.reshape(scores_TH.shape[1], task.vocab_size, task.classes)
    return votes_HVC


def _places(head: int, task: SequenceClassification, heads: int) -> str:
    names = [str(place + 1) for place in range(head, task.sequence_length, heads)]
    return f"place {names[0]}" if len(names) == 1 else f"places {', '.join(names)}, each half as much as the last,"

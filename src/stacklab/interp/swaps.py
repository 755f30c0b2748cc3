"""A limit of a single layer of attention, as an identity that can be checked.

It serves tests and the page docs/constructions.md only; no command calls it.

Read at the last position T, a layer of attention only has the logits

    l(x) = U z_T + sum_h N_h(x) / Z_h(x)
    N_h(x) = sum_t e^{s_h(x_t, t)} U O_h V_h z_t
    Z_h(x) = sum_t e^{s_h(x_t, t)}

where z_t depends on the token x_t and the position t alone, and the score s_h on these and on the last token, which
never changes. So N_h and Z_h are sums of one term per position. Let p and q be changes of the sequence at disjoint sets
of positions, without T. For each such sum F

    F(x) - F(p x) - F(q x) + F(p q x) = 0                                           (1)

exactly, head by head, whatever the weights. For one head, (1) for N implies, with Z for Z(x) and Z_p for Z(p x),

    Z l(x) - Z_p l(p x) - Z_q l(q x) + Z_pq l(p q x) = 0                            (2)

since U z_T is the same all four times and Z itself obeys (1). Now let a be the answer of x and p q x, b that of p x
and q x, and m = l_a - l_b. Right on all four means m(x), m(p q x) > 0 > m(p x), m(q x), which contradicts (2), since
every Z is positive. So one head in one layer is wrong, or undecided, on at least one of the four, whatever its size,
precision and training. With several heads (1) holds head by head, and so does (2) for what each head adds to the
logits, but not for their sum: nothing follows from four sequences alone.

A norm before the layer changes nothing, since it acts token by token. A feed-forward or a final norm acts on the sum
and breaks (2), not (1). After a first layer z_t depends on other positions, and (1) fails.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stacklab.model.block import Block
from stacklab.model.transformer import Transformer
from stacklab.tasks.batch import Ids

SUMS = "logits must be sums over heads"


class Sums(NamedTuple):
    """The numerator and the denominator of each head of the last layer at the last position.

    A head adds n / z to the logits; both are divided by one number, the same for the whole batch. skip_BV: the logits
    without the last layer.
    """

    n_BHV: Tensor
    z_BH: Tensor
    skip_BV: Tensor


class Quad(NamedTuple):
    """x, p x, q x and p q x [4, T]; `a` answers the first and the last, `b` the others."""

    tokens_4T: Ids
    a: int
    b: int


@torch.no_grad()
def head_sums(model: Transformer, ids_BT: Tensor) -> Sums:
    """The sums of a model whose last layer has no feed-forward and no norm after it, for logits at the last position.

    Computed directly from the scores, so that sums of different sequences can be added.
    """
    spec = model.spec
    assert spec.norm.placement in ("pre", "none") and not spec.norm.has_final and spec.residual.kind == "plain", SUMS
    x_BTD = model.embed(ids_BT)
    for block in model.blocks[:-1]:
        x_BTD = block(x_BTD, None)
    last = model.blocks[-1]
    assert isinstance(last, Block) and last.feed_forward is None, SUMS
    normed_BTD = last.get_submodule("attention_norm")(x_BTD) if spec.norm.placement == "pre" else x_BTD
    score_BHTT, v_BHTK = last.attention.scores_and_values(normed_BTD)
    score_BHT = score_BHTT[:, :, -1]
    weight_BHT = (score_BHT - score_BHT.amax((0, 2), keepdim=True)).exp()
    to_logits_VD = model.head_weight_VD @ last.attention.output.weight
    to_logits_VHK = to_logits_VD.view(len(to_logits_VD), last.attention.num_heads, -1)
    n_BHV = torch.einsum("bht,bhtk,vhk->bhv", weight_BHT, v_BHTK, to_logits_VHK)
    return Sums(n_BHV, weight_BHT.sum(-1), model.logits(x_BTD[:, -1]))


def mixed_difference(values_4: Tensor) -> Tensor:
    """F(x) - F(p x) - F(q x) + F(p q x), along the first axis."""
    return values_4[0] - values_4[1] - values_4[2] + values_4[3]


def question_quad(tokens_T: Ids, other: int) -> Quad:
    """Question answering: p swaps the queried question with that of pair `other`, q the answers of the two pairs.

    Raises ValueError when `other` is the queried pair.
    """
    queried = int(np.flatnonzero(tokens_T[:-1:2] == tokens_T[-1])[0])
    if queried == other:
        raise ValueError(f"pair {other} is the queried pair")
    questions, answers = [2 * queried, 2 * other], [2 * queried + 1, 2 * other + 1]
    return Quad(_four(tokens_T, questions, answers), int(tokens_T[answers[0]]), int(tokens_T[answers[1]]))


def _four(tokens_T: Ids, first: list[int], second: list[int]) -> Ids:
    four = np.tile(tokens_T, (4, 1))
    for rows, places in (([1, 3], first), ([2, 3], second)):
        four[np.ix_(rows, places)] = four[np.ix_(rows, places[::-1])]
    return four


def symbol_quad(equal_T: Ids, places: tuple[int, int], other: int, *, a: int, b: int) -> Quad:
    """Template matching: `equal_T` has one symbol at both places; p and q put the symbol `other` at one of them each.

    a: the template of strings whose two places are equal; b: of those whose places differ.
    """
    four = np.tile(equal_T, (4, 1))
    four[[1, 3], places[0]] = other
    four[[2, 3], places[1]] = other
    return Quad(four, a, b)

"""In-context recall, as the mechanistic architecture design benchmark has it (MAD; Poli et al., arXiv 2403.17844)."""

from typing import Literal

from stacklab.tasks.parts.pair_stream import PairStream


class InContextRecall(PairStream):
    """Pairs of key and value; keys come again, always with the value that they have in this sequence: which one?

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(InContextRecall(keys=3, values=3, pairs=5), "k1 v0 k2 v2 k1 v0 k0 v0 k2"))
    tokens  k1 v0 k2 v2 k1 v0 k0 v0 k2
    targets  .  .  .  . v0  .  .  . v2

    Keys and values are drawn anew for each sequence, so several keys may have one value. The last key has been shown
    before. Slices: how many pairs back the key stood last, in octaves. `loss_on: all` trains on every next token, as
    MAD does; evaluations are over the answers alone.
    """

    kind: Literal["in-context-recall"] = "in-context-recall"

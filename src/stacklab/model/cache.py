"""The state of decoding: positions of the newest tokens, and keys and values of the earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class LayerCache:
    """Keys and values of the positions already seen by one layer, with room for `capacity` of them."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.seen = capacity, 0

    def extend(self, k_BGTK: Tensor, v_BGTK: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values; returns those of all positions seen, as views."""
        if self.seen == 0:
            self.k_BGSK, self.v_BGSK = (
                part.new_empty(*part.shape[:2], self.capacity, part.shape[3]) for part in (k_BGTK, v_BGTK)
            )
        new = slice(self.seen, self.seen + k_BGTK.shape[2])
        self.k_BGSK[:, :, new], self.v_BGSK[:, :, new] = k_BGTK, v_BGTK
        self.seen = new.stop
        return self.k_BGSK[:, :, : self.seen], self.v_BGSK[:, :, : self.seen]


class LayerDecoding(NamedTuple):
    """`Decoding` for one layer."""

    positions_BT: Tensor
    visible_BTS: Tensor
    cache: LayerCache
    starts_B1: Tensor | None


@dataclass(frozen=True)
class Decoding:
    """The T newest tokens of each sequence, and which of all S tokens, themselves included, they see.

    positions_BT: positions of the newest tokens.
    visible_BTS: which tokens each of the newest may see, never later ones. Windows and patterns of a mask apply in
    addition.
    caches: one per layer, bottom first; a forward pass extends them.
    starts_B1: where each sequence begins among the S tokens, after its padding; None is at the first.
    """

    positions_BT: Tensor
    visible_BTS: Tensor
    caches: Sequence[LayerCache]
    starts_B1: Tensor | None = None

    def of_layer(self, index: int) -> LayerDecoding:
        return LayerDecoding(self.positions_BT, self.visible_BTS, self.caches[index], self.starts_B1)

"""A kind of positions that nothing but itself knows."""

from typing import ClassVar, Literal

from stacklab.model.positions.kind import PositionKind


class NowhereKnown(PositionKind):
    kind: Literal["unheard-of"] = "unheard-of"


class SaysItStacks(NowhereKnown):
    stacks: ClassVar[bool] = True

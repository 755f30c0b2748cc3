"""Scores of heads and tables of attention as storable values. No torch here."""

from typing import Literal

from stacklab.base.spec import Items, Spec, Text
from stacklab.stats.result import Result

Role = Literal["copying", "gathering", "parsing", "matching"]
ROLES: dict[Role, str] = {
    "copying": "attention to the position a fixed number of places back, at the best slot and number (over all "
    "positions where the sequence is one group)",
    "gathering": "attention to the earlier positions of its own group, at the best slot",
    "parsing": "where a symbol occurred in its group before: attention to it there, out of what leaves the position",
    "matching": "attention to positions that hold the right answer, at scored positions",
}


class HeadScore(Spec):
    """How much one head plays a role, from 0 to 1. `where`: the slot, and how far back, if any.

    Layers and heads are counted from 0.
    """

    layer: int
    head: int
    role: Role
    value: float
    where: Text = ""


class Subject(Spec):
    """The scores of all heads of one model. `absent`: roles that the task's sequences do not have, with the reason."""

    seed: int
    scores: Items[HeadScore]
    absent: dict[Role, Text]


class RoleRow(Spec):
    """A role in a layer, over models.

    best: of the head with the highest score in each model, since the index of a head means nothing across seeds; mean:
    of all heads. Their values stand beside them, since a single model has no interval. `where`: of the best heads, most
    frequent first.
    """

    layer: int
    role: Role
    best: Result
    best_value: float
    mean: Result
    mean_value: float
    where: Text


class HeadReport(Spec):
    """Trained models of one arm beside untrained ones of the same spec and, where there is one, the construction.

    constructed: the best head of the constructed model for each role.
    """

    task: Text
    split: Text
    sequences: int
    trained: Items[RoleRow]
    untrained: Items[RoleRow]
    constructed: Items[HeadScore]
    absent: dict[Role, Text]
    seeds: Items[Subject]


class AttentionPanel(Spec):
    """shares[r][c]: the share of the attention of row r that goes to column c. Rows are positions or heads."""

    title: Text
    rows: Items[Text]
    columns: Items[Text]
    shares: Items[Items[float]]

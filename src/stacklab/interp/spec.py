"""Scores of heads and tables of attention as storable values. No torch here."""

from typing import Literal

from stacklab.base.spec import Items, Spec, Text
from stacklab.stats.result import Result

Role = Literal["copying", "gathering", "parsing", "matching"]
ROLES: dict[Role, str] = {
    "copying": "attention to the position a fixed number of places back, at the best slot and number (over all "
    "positions where the sequence is one group)",
    "gathering": "attention to the earlier positions of its own group, at the best slot",
    "parsing": "where a symbol occurred in its group before: attention to it there, as a share of the "
    "attention to other positions",
    "matching": "attention to positions that hold the right answer, at scored positions",
}


class HeadScore(Spec):
    """How much one head plays a role, from 0 to 1. `where`: slot and distance, if any.

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

    best: score of the best head of each model, since the index of a head means nothing across seeds. mean: over all
    heads. best_value, mean_value: their means, also for a single model, which has no interval. `where`: slots and
    distances of the best heads, most frequent first.
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

"""A claim of a study, stated before its runs. No torch here."""

import math
import re
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from stacklab.base.spec import Items, Spec, Text, added
from stacklab.run.metrics import check_metric, is_share

SHARE_TEXT = re.compile(r"\d{1,2}(\.\d+)?%")
"""A share of the value compared with, such as 1% or 0.5%."""
MOST_LEVEL = 0.1
"""The largest error level of a claim: 90 % confidence."""


class ClaimSpec(Spec):
    """Stated before the run: `arm` does better on `metric` than each arm of `against`, or equally well.

    direction: lower or higher, the way in which `arm` must differ; equivalent: the difference lies within +-margin.
    level: two-sided, at most 0.1; 0.05 means a 95 % interval. power: an inconclusive verdict names the seeds needed to
    reach it; it does not affect the verdict. matters: the smallest difference of interest, in the metric's unit, or as
    a share of the value compared with, such as "1%"; a difference wholly within it is smaller than what matters.
    primary: the claim is confirmatory; where a study has primary claims, all others are exploratory.
    """

    id: Text = Field(pattern=r"^[a-z0-9-]+$")
    statement: Text
    metric: Text
    arm: Text
    against: Items[Text] = Field(min_length=1)
    direction: Literal["lower", "higher", "equivalent"]
    margin: float | None = Field(None, gt=0)
    level: float = Field(0.05, gt=0)
    power: float = Field(0.8, gt=0, lt=1)
    matters: float | str | None = added(None)
    primary: bool = added(False)

    @property
    def bounded(self) -> bool:
        """Whether the metric lies in [0, 1]."""
        return is_share(self.metric)

    def matters_of(self, against: float) -> float | None:
        """The smallest difference of interest in the metric's unit, where the other arm has the mean `against`."""
        if isinstance(self.matters, str):
            return float(self.matters.removesuffix("%")) / 100 * abs(against)
        return self.matters

    @field_validator("metric")
    @classmethod
    def _some_run_has_it(cls, metric: str) -> str:
        return check_metric(metric)

    @field_validator("level")
    @classmethod
    def _is_strict(cls, level: float) -> float:
        if level > MOST_LEVEL:
            raise ValueError(
                f"{level:g} means an interval of {100 * (1 - level):.4g} % confidence, on which no verdict may rest: a "
                f"level is at most {MOST_LEVEL:g} ({100 * (1 - MOST_LEVEL):.4g} %)"
            )
        return level

    @model_validator(mode="after")
    def _matters_fits(self) -> Self:
        if self.matters is None:
            return self
        if self.margin is not None:
            raise ValueError("matters: the margin of an equivalence states what matters; remove one of the two")
        if isinstance(self.matters, str):
            if not SHARE_TEXT.fullmatch(self.matters) or float(self.matters[:-1]) == 0:
                raise ValueError(f"matters: {self.matters!r} is neither a number nor a share such as '1%'")
            if self.bounded:
                raise ValueError(
                    f"matters: {self.matters!r} of {self.metric}, itself a share, has two meanings; write 0.02 for two "
                    "percentage points"
                )
        elif not 0 < self.matters < (1 if self.bounded else math.inf):
            bound = "between 0 and 1, as the metric" if self.bounded else "above 0, in the unit of the metric"
            raise ValueError(f"matters: {self.matters:g} must be {bound}; the direction says which side is claimed")
        return self

    @model_validator(mode="after")
    def _margin_fits(self) -> Self:
        if (self.direction == "equivalent") != (self.margin is not None):
            margin = "no margin" if self.margin is None else f"margin {self.margin:g}"
            raise ValueError(
                f"direction {self.direction} with {margin}: equivalent needs a margin, lower and higher take none"
            )
        if self.arm in self.against:
            raise ValueError(f"the arm {self.arm!r} is compared with itself")
        return self


def confirmatory(claims: Sequence[ClaimSpec]) -> list[bool]:
    """Whether each of a study's claims is confirmatory: the primary ones, or all where none is primary."""
    some = any(claim.primary for claim in claims)
    return [claim.primary or not some for claim in claims]


def labelled(statement: str, *, arm: str, against: str) -> str:
    """The sentence of a claim, with {arm} and {against} replaced by the labels of the arms."""
    for mark, label in (("{arm}", arm), ("{against}", against)):
        statement = statement.replace(mark, label)
    return statement

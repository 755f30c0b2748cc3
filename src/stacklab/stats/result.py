"""Results of statistics. What cannot be computed is `Undefined` with a reason, never a silent zero."""

from typing import Annotated, Literal

from pydantic import Field

from stacklab.base.spec import Spec


class Estimate(Spec):
    """A value with an interval. `level` is the confidence level (0.95), `n` the number of values behind it."""

    kind: Literal["estimate"] = "estimate"
    value: float
    low: float
    high: float
    level: float
    n: int
    method: str


class PValue(Spec):
    """The p value of a test on `n` values, two-sided unless `method` says otherwise."""

    kind: Literal["p-value"] = "p-value"
    p: float = Field(ge=0, le=1)
    n: int
    method: str


class Undefined(Spec):
    """A statistic that the values do not allow, with the reason."""

    kind: Literal["undefined"] = "undefined"
    reason: str


class Needed(Spec):
    """The numbers of seeds per arm that would reach `power`, as far as the interval of the effect bounds them.

    level: the confidence level of that interval. most: None where it sets no upper limit, for the reason `unbounded`.
    """

    kind: Literal["needed"] = "needed"
    fewest: int
    most: int | None
    power: float
    level: float
    unbounded: str = ""


Result = Annotated[Estimate | Undefined, Field(discriminator="kind")]
Tested = Annotated[PValue | Undefined, Field(discriminator="kind")]
SeedsNeeded = Annotated[Needed | Undefined, Field(discriminator="kind")]

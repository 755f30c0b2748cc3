"""Settings of a procedural corpus; without torch and numpy."""

from collections import Counter
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from stacklab.base.spec import Items, Spec

FamilyName = Literal["arithmetic", "ordering", "kinship", "pointers", "state"]
FAMILY_NAMES: tuple[FamilyName, ...] = get_args(FamilyName)
MAX_HOPS = 8


def _refuse_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if repeated := sorted(value for value, times in Counter(values).items() if times > 1):
        raise ValueError(f"{repeated[0]!r} occurs more than once; name each value once")
    return values


Families = Annotated[Items[FamilyName], Field(min_length=1), AfterValidator(_refuse_repeats)]
Hops = Annotated[Items[Annotated[int, Field(ge=1, le=MAX_HOPS)]], Field(min_length=1), AfterValidator(_refuse_repeats)]


class ProceduralSpec(Spec):
    """A generated corpus: families and hops in equal shares, fixed by `corpus_seed`.

    Raises pydantic.ValidationError when `records` is not positive, a family is unknown, a number of hops is not in
    1..8, or a family or a number of hops occurs twice.
    """

    kind: Literal["procedural-cot"] = "procedural-cot"
    records: int = Field(default=4000, gt=0)
    families: Families = FAMILY_NAMES
    hops: Hops = (1, 2, 3, 4)
    corpus_seed: int = 0

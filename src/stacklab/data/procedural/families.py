"""The one list of families."""

from stacklab.data.procedural import arithmetic, kinship, ordering, pointers, state
from stacklab.data.procedural.problem import Family
from stacklab.data.procedural.spec import FamilyName

FAMILIES: dict[FamilyName, Family] = {
    "arithmetic": arithmetic,
    "ordering": ordering,
    "kinship": kinship,
    "pointers": pointers,
    "state": state,
}

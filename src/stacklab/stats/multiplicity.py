"""One error level for several claims, and for several looks at the same claim."""

from collections.abc import Sequence
from typing import Literal

from stacklab.base.errors import SpecError

Method = Literal["holm", "benjamini-hochberg"]


def adjust(p_values: Sequence[float | None], *, method: Method) -> list[float | None]:
    """Adjusted p values in the same order; at most `level` means significant at `level` within the family.

    holm (Holm 1979) bounds the probability of any false finding, benjamini-hochberg (Benjamini and Hochberg 1995) the
    expected share of false ones among the findings. None (no p value) stays None and still counts in the family, as
    1: a claim without a p value makes it no easier for the others. Raises ValueError for a p outside [0, 1].

    >>> adjust([0.01, None, 0.04], method="holm")
    [0.03, None, 0.08]
    """
    for number, p in enumerate(p_values, start=1):
        if p is not None and not 0 <= p <= 1:
            raise ValueError(f"p value {number} of {len(p_values)} is {p:g}: expected a number between 0 and 1")
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    name = {"holm": "holm", "benjamini-hochberg": "fdr_bh"}[method]
    adjusted = multipletests([1.0 if p is None else p for p in p_values], method=name)[1]
    return [None if p is None else float(value) for p, value in zip(p_values, adjusted, strict=True)]


def look_level(level: float, looks: int, max_looks: int) -> float:
    """The level of the `looks`-th look (1, 2, ...) of a design that declared `max_looks` beforehand.

    An equal share of `level` for every look (Bonferroni; fixed shares of the level for repeated looks are due to Slud
    and Wei 1982). The shares sum to `level`, so the probability that any look errs is at most `level`, however the
    looks depend on each other and however many seeds each adds, as long as the numbers of seeds do not depend on the
    results. To add seeds depending on the results, declare the numbers of seeds beforehand and pass the place and the
    length of that list: any choice among declared numbers is covered too, a free choice is not (docs/statistics.md).
    Raises SpecError past the last declared look and for a level outside (0, 1).

    >>> look_level(0.05, 2, 5)
    0.01
    """
    if not 0 < level < 1:
        raise SpecError(f"level {level:g}: expected a number between 0 and 1")
    if max_looks < 1 or looks < 1:
        raise SpecError(f"look {looks} of {max_looks}: looks are counted from 1")
    if looks > max_looks:
        raise SpecError(
            f"look {looks}: the design declared {max_looks} {'look' if max_looks == 1 else 'looks'} and the whole "
            f"level {level:g} is spent on them; a further look needs new seeds under a new study"
        )
    return level / max_looks

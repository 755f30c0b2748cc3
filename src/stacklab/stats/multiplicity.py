"""One error level for several claims, and for several looks at the same claim."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from stacklab.base.errors import SpecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Method = Literal["holm", "benjamini-hochberg"]


def adjust(
    p_values: Sequence[float | None], *, method: Method, leaving: Sequence[float | None] | None = None
) -> list[float | None]:
    """Adjusted p values in the same order; at most `level` means significant at `level` within the family.

    holm (Holm 1979) bounds the probability of any false finding, benjamini-hochberg (Benjamini and Hochberg 1995) the
    expected share of false ones among the findings. None (no p value) stays None and still counts in the family, as
    1: a claim without a p value makes it no easier for the others. leaving: for holm, see there; each claim's own p
    value by default. Raises ValueError for a p outside [0, 1].

    >>> adjust([0.01, None, 0.04], method="holm")
    [0.03, None, 0.08]
    """
    for number, p in enumerate(p_values, start=1):
        if p is not None and not 0 <= p <= 1:
            raise ValueError(f"p value {number} of {len(p_values)} is {p:g}: expected a number between 0 and 1")
    if not p_values:
        return []
    import numpy as np

    p_K, leaving_K = (np.array([1.0 if p is None else p for p in ps]) for ps in (p_values, leaving or p_values))
    if method == "holm":
        adjusted = holm(p_K[None], leaving_K[None])[0]
    else:
        from statsmodels.stats.multitest import multipletests

        adjusted = multipletests(p_K, method="fdr_bh")[1]
    return [None if p is None else float(value) for p, value in zip(p_values, adjusted, strict=True)]


def holm(p_RK: "Floats", leaving_RK: "Floats") -> "Floats":
    """Adjusted p values of K claims in each of R studies, where a claim may have a second conclusion.

    Holm's correction tests each claim at level / k, where k claims have not left. A claim leaves at level / k if its
    `leaving` is at most that: its own p value, or, where it can conclude both that there is a difference and that it is
    smaller than what matters, the larger of the two p values. After the first conclusion alone it stays: the null
    hypothesis of the other, which may be true, is still tested.

    Why the level holds for all conclusions together (closed testing, Marcus, Peritz and Gabriel 1976): a claim has two
    null hypotheses, no difference, and one of at least what matters. At most one is true, so an intersection of null
    hypotheses has at most one per claim (Shaffer 1986). Bonferroni rejects one of n claims where any of its p values is
    at most level / n. The intersection that is hardest to reject takes of each other claim the larger p value. So the
    adjusted p value is the largest, over all sets of n claims with this one, of n times the smallest of its p value and
    the others' `leaving`. Without second conclusions, that is Holm's procedure.

    >>> import numpy as np
    >>> p = np.array([[0.001, 0.04]])
    >>> holm(p, p), holm(p, np.array([[0.9, 0.9]]))
    (array([[0.002, 0.04 ]]), array([[0.002, 0.08 ]]))
    """
    import numpy as np

    order_RK = np.argsort(-leaving_RK, axis=1, kind="stable")
    falling_RK = np.take_along_axis(leaving_RK, order_RK, axis=1)
    place_RK = np.argsort(order_RK, axis=1)
    adjusted_RK = p_RK
    for others in range(1, p_RK.shape[1]):
        # The smallest `leaving` of the set that takes as many others with the largest ones.
        least_RK = np.where(place_RK < others, falling_RK[:, others, None], falling_RK[:, others - 1, None])
        adjusted_RK = np.maximum(adjusted_RK, (others + 1) * np.minimum(p_RK, least_RK))
    return np.minimum(adjusted_RK, 1.0)


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

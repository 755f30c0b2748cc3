"""p values of several claims judged together."""

from collections.abc import Sequence
from typing import Literal

Method = Literal["holm", "benjamini-hochberg"]


def adjust(p_values: Sequence[float | None], *, method: Method) -> list[float | None]:
    """Adjusted p values in the same order; at most `level` means significant at `level` within the family.

    holm (Holm 1979) bounds the probability of any false finding, benjamini-hochberg (Benjamini and Hochberg 1995) the
    expected share of false ones among the findings. None (no p value could be had) stays None and still counts in the
    family, as 1: a claim that failed makes it no easier for the others. Raises ValueError for a p outside [0, 1].

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
    return [None if p is None else float(found) for p, found in zip(p_values, adjusted, strict=True)]

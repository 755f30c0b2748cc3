"""p values over a family of claims, adjusted for their number."""

from collections.abc import Sequence

from stacklab.stats.result import PValue, Tested


def holm(tests: Sequence[Tested]) -> list[Tested]:
    """Adjusted so that rejecting those below `level` errs anywhere with probability `level` at most (Holm 1979).

    What is undefined stays so and does not count into the family.

    >>> [round(test.p, 3) for test in holm([PValue(p=p, n=5, method="t") for p in (0.01, 0.04, 0.03)])]
    [0.03, 0.06, 0.06]
    """
    return _adjusted(tests, "holm", "Holm")


def benjamini_hochberg(tests: Sequence[Tested]) -> list[Tested]:
    """Adjusted so that of those below `level` an expected share of `level` at most is false (Benjamini and Hochberg
    1995; for independent tests, and for positively dependent ones by Benjamini and Yekutieli 2001)."""
    return _adjusted(tests, "fdr_bh", "Benjamini-Hochberg")


def _adjusted(tests: Sequence[Tested], method: str, name: str) -> list[Tested]:
    from statsmodels.stats.multitest import multipletests

    places = [place for place, test in enumerate(tests) if isinstance(test, PValue)]
    found = list(tests)
    if not places:
        return found
    raw = [test.p for test in tests if isinstance(test, PValue)]
    for place, p in zip(places, multipletests(raw, method=method)[1], strict=True):
        before = tests[place]
        assert isinstance(before, PValue)
        found[place] = PValue(p=float(p), n=before.n, method=f"{before.method}, {name} over {len(raw)}")
    return found

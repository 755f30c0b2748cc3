"""The evidence beside a verdict: tests, effect sizes, and p values corrected for multiple claims."""

from collections.abc import Sequence

from stacklab.base.spec import Spec
from stacklab.stats.comparison import Comparison
from stacklab.stats.multiplicity import adjust
from stacklab.stats.result import PValue, Result, Tested
from stacklab.study.spec.study import ClaimSpec


class Evidence(Spec):
    """Statistics of one claim about two arms, from their values; each names its method.

    test: the p value of the test whose interval decides (for an equivalence, two one-sided tests). holm and
    benjamini_hochberg: the same, adjusted for all claims of the study. permutation: exact where feasible, of signs by
    seed, or of runs between the arms. effect: in standard deviations of the paired difference, or of a run.
    superiority: the share of seeds, or of all pairs of runs, at which the arm is better; lower counts as better unless
    the claim says higher.
    """

    test: Tested
    holm: Tested
    benjamini_hochberg: Tested
    permutation: Tested
    effect: Result
    superiority: Result
    correlation: Result


def claim_test(claim: ClaimSpec, by: Comparison, arm: Sequence[float], against: Sequence[float]) -> Tested:
    return by.test(arm, against) if claim.margin is None else by.equivalence(arm, against, margin=claim.margin)


def adjusted(tests: Sequence[Tested]) -> list[tuple[Tested, Tested, Tested]]:
    """Each test unadjusted, after Holm, and after Benjamini and Hochberg, over all claims of the study.

    A claim without a p value counts as p = 1, so that it does not weaken the correction of the others.
    """
    raw = [test.p if isinstance(test, PValue) else None for test in tests]
    families = [_as_tests(tests, adjust(raw, method=method), method) for method in ("holm", "benjamini-hochberg")]
    return list(zip(tests, *families, strict=True))


def _as_tests(tests: Sequence[Tested], adjusted: Sequence[float | None], method: str) -> list[Tested]:
    return [
        PValue(p=p, n=test.n, method=f"{test.method}, {method} over {len(tests)}")
        if isinstance(test, PValue) and p is not None
        else test
        for test, p in zip(tests, adjusted, strict=True)
    ]


def gather(
    claim: ClaimSpec,
    by: Comparison,
    arm: Sequence[float],
    against: Sequence[float],
    tests: tuple[Tested, Tested, Tested],
) -> Evidence:
    better, worse = (against, arm) if claim.direction == "higher" else (arm, against)
    test, after_holm, after_benjamini_hochberg = tests
    return Evidence(
        test=test,
        holm=after_holm,
        benjamini_hochberg=after_benjamini_hochberg,
        permutation=by.permutation(arm, against),
        effect=by.effect(arm, against, level=claim.level),
        superiority=by.superiority(better, worse, level=claim.level),
        correlation=by.correlation(arm, against, level=claim.level),
    )

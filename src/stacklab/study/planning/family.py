"""The family of a plan's confirmatory comparisons, which share one error level, and what its seeds can ever show."""

from collections.abc import Iterator

from stacklab.base.search import smallest
from stacklab.stats.comparison import COMPARISONS
from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.spec.claim import ClaimSpec, confirmatory

MOST_SEEDS = 2_000


def family_of(plan: Plan) -> list[Contrast]:
    """The confirmatory comparisons of the plan."""
    chosen = confirmatory([contrast.claim for contrast in plan.contrasts])
    return [contrast for contrast, is_one in zip(plan.contrasts, chosen, strict=True) if is_one]


def family_text(plan: Plan) -> str:
    """How many comparisons share one error level, and which."""
    family, others = family_of(plan), len(plan.contrasts) - len(family_of(plan))
    names = ", ".join(contrast.id for contrast in family)
    exploratory = f"; {others} exploratory, suggestive at best" if others else ""
    if len(family) == 1:
        return f"one confirmatory comparison: {names}{exploratory}"
    return f"{len(family)} confirmatory comparisons share one error level (Holm): {names}{exploratory}"


def never_shown(plan: Plan) -> Iterator[str]:
    """The comparisons that these seeds cannot show, however clear the runs are, with the seeds that could."""
    family = family_of(plan)
    for contrast in family:
        claim, seeds = contrast.claim, len(plan.seeds)
        if claim.bounded and not _shows(contrast, seeds, len(family)):
            enough = _fewest(contrast, len(family))
            what = "always against never" if claim.margin is None else "equal values at every seed"
            needs = f"over {MOST_SEEDS:,}" if enough is None else f"{enough:,}"
            yield f"{contrast.id}: {seeds} seeds cannot show it, not even {what}; it takes {needs}"


def _fewest(contrast: Contrast, family: int) -> int | None:
    return smallest(lambda seeds: _shows(contrast, seeds, family), limit=MOST_SEEDS, first=2)


def _shows(contrast: Contrast, seeds: int, family: int) -> bool:
    """Whether the clearest accuracies there can be show the claim, as the first of its family."""
    import numpy as np

    from stacklab.stats.verdict import Rule, p_values

    if seeds < 2:
        return False
    claim: ClaimSpec = contrast.claim
    best, worst = np.ones((1, seeds)), np.zeros((1, seeds))
    rows = {"higher": (best, worst), "lower": (worst, best), "equivalent": (best, best)}[claim.direction]
    rule = Rule(claim.direction, claim.margin, claim.level, bounded=True)
    p = float(p_values(*rows, by=COMPARISONS[contrast.pairing], rule=rule)[0])
    return p * family <= claim.level

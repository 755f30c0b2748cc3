"""The claims as judged, with the names that the report prints."""

from stacklab.base.spec import Items
from stacklab.study.planning.contrast import Difference
from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.results.analyse import ClaimResult


class ContrastFact(ClaimResult):
    """The verdict on one claim about one pair of arms, with their labels and all settings in which they differ.

    difference, bootstrap: of arm minus against. interval: the one that decides, or why there is none; relation: how it
    lies. pairs: the values of both arms by seed.
    """

    arm_label: str
    against_label: str
    settings: Items[Difference]


def contrast_fact(plan: Plan, contrast: Contrast, result: ClaimResult) -> ContrastFact:
    return ContrastFact(
        **dict(result),
        arm_label=plan.arm(result.arm).label,
        against_label=plan.arm(result.against).label,
        settings=contrast.differences,
    )

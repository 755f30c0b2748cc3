"""The plan of a study file at scale smoke."""

from pathlib import Path
from typing import Any

from stacklab.study.planning.plan import Plan, make_plan
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest


def planned(file: Path, *overrides: str, seeds: tuple[int, ...] | None = None) -> Plan:
    study = read_study(str(file), scale="smoke", overrides=overrides)
    return make_plan(study, StudyRequest(scale="smoke", out=file.parent / "out", seeds=seeds))


def with_claims(plan: Plan, **change: Any) -> Plan:
    """The plan with every claim changed."""
    tree = plan.dump()
    for contrast in tree["contrasts"]:
        contrast["claim"] |= change
    return Plan.model_validate(tree)

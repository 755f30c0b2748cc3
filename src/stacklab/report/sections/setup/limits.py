"""The limits: what the numbers cannot show."""

from stacklab.report.facts.build import Facts
from stacklab.report.sections.section import Bullets, Section


def limits(facts: Facts) -> Section:
    return Section("limits", "Limits", (Bullets(facts.limits),))

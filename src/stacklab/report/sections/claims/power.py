"""The power of the tests against the number of seeds."""

from stacklab.report.drawing.figure import Axis, Figure, Key, Line, Panel
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.facts.contrasts import ContrastFact
from stacklab.report.format.palette import color_of
from stacklab.report.sections.section import Section, single_figure
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.power import difference_power
from stacklab.stats.result import Estimate

NEUTRAL = "#6B6B6B"
LEAST_REACH, MOST_REACH = 12, 40
"""Seeds up to which the curves are drawn: four times those of the study, between these."""


def power(facts: Facts) -> Section | None:
    return single_figure(power_figure(facts), nav="Power")


def power_figure(facts: Facts) -> Figure | None:
    """Power of the test that decides, for the effect observed, by claim: a line per arm that it is compared with."""
    reach = min(MOST_REACH, max(LEAST_REACH, 4 * len(facts.seeds)))
    claims = [shown for contrasts in facts.by_claim() if (shown := [one for one in contrasts if _has_power(one)])]
    if not claims:
        return None
    against = {contrast.against: facts.arm(contrast.against) for contrasts in claims for contrast in contrasts}
    return Figure(
        name="power",
        title="Power against seeds",
        caption="Probability that the t interval that decides excludes zero, if the true effect is as large as the one "
        "observed, which is itself uncertain. Dashes: the power that the claim names, and the number of seeds run.",
        panels=tuple(_panel(facts, contrasts, reach) for contrasts in claims),
        keys=tuple(Key(f"against {arm.label}", color_of(arm), "solid") for arm in against.values()),
    )


def _has_power(contrast: ContrastFact) -> bool:
    return contrast.claim.margin is None and isinstance(contrast.evidence.effect, Estimate)


def _panel(facts: Facts, contrasts: list[ContrastFact], reach: int) -> Panel:
    claim = contrasts[0].claim
    marks = (
        Line("power of the claim", (2.0, float(reach)), (claim.power,) * 2, NEUTRAL, dash="dash", width=1.0),
        Line("seeds run", (float(len(facts.seeds)),) * 2, (0.0, 1.0), NEUTRAL, dash="dash", width=1.0),
    )
    lines = tuple(_line(contrast, facts.arm(contrast.against), reach) for contrast in contrasts)
    x = Axis("seeds", 1.5, reach + 0.5)
    return Panel(claim.id, x, Axis("power", -0.02, 1.02, share=True), lines=(*marks, *lines))


def _line(contrast: ContrastFact, against: ArmFact, reach: int) -> Line:
    effect = contrast.evidence.effect
    assert isinstance(effect, Estimate)
    seeds, design = range(2, reach + 1), COMPARISONS[contrast.pairing].design
    y = tuple(difference_power(abs(effect.value), design(number), level=contrast.claim.level) for number in seeds)
    name = f"against {against.label}" + (" (unpaired)" if contrast.pairing == "unpaired" else "")
    return Line(name, tuple(map(float, seeds)), y, color_of(against))

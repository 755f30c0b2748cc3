"""Error rates and power for accuracies of tasks that a seed solves or does not.

A seed solves with a probability, and then answers almost every question of the probe right; else it answers as many as
chance does. The probe's own noise is that of QUESTIONS questions. Seeds of both arms are independent.
"""

from typing import NamedTuple

import numpy as np

from stacklab.base.streams import numpy_stream
from stacklab.stats.calibration.noise import Floats
from stacklab.stats.calibration.table import LEVEL, Column, Row, Table
from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.verdict import Rule, verdicts

QUESTIONS = 512
CHANCE = 0.125
SEEDS = (3, 5, 10, 20)


class Arm(NamedTuple):
    """solves: the share of seeds with accuracy `good`; the others have `bad`. Without questions there is no noise."""

    solves: float = 1.0
    good: float = 1.0
    bad: float = CHANCE
    questions: int = QUESTIONS

    @property
    def mean(self) -> float:
        return self.solves * self.good + (1 - self.solves) * self.bad


def draw(arm: Arm, rng: np.random.Generator, repeats: int, seeds: int) -> Floats:
    """Accuracies, [repeats, seeds], in [0, 1]."""
    true_RN = np.where(rng.random((repeats, seeds)) < arm.solves, arm.good, arm.bad)
    return rng.binomial(arm.questions, true_RN) / arm.questions if arm.questions else true_RN


def steady(mean: float) -> Arm:
    """An arm of which every seed has the same true accuracy."""
    return Arm(good=mean)


PARTIAL = {f"solves {share:.0%} against steady": Arm(share) for share in (0.95, 0.9, 0.8, 0.1)}
NULLS: dict[str, tuple[Arm, Arm]] = {
    **{f"both solve {share:.0%}": (Arm(share), Arm(share)) for share in (0.5, 0.2, 0.9)},
    **{name: (arm, steady(arm.mean)) for name, arm in PARTIAL.items()},
    "both 0.998": (steady(0.998), steady(0.998)),
    "both 0.004": (steady(0.004), steady(0.004)),
}
"""Both arms have the same mean."""
CLOSE = 0.05
"""Margin of the true equivalence of the nulls."""
FAILURES: dict[str, tuple[Arm, Arm, float]] = {
    f"fails 1 seed in {every}, margin ±{margin:g}": (Arm(1 - 1 / every, good=0.999), steady(0.996), margin)
    for every, margin in ((20, 0.02), (10, 0.05), (5, 0.1), (3, 0.2))
}
"""One arm fails now and then, by which its mean is lower by more than the margin."""


class Error(NamedTuple):
    """Verdicts that are false for the arms, for a claim of `rule`; the more frequent of them counts."""

    arms: tuple[Arm, Arm]
    name: str
    rule: Rule
    verdicts: tuple[str, ...]


def errors() -> dict[str, list[Error]]:
    """The false verdicts of every noise."""
    nulls = {
        name: [
            Error(arms, "supported", Rule("lower"), ("supported", "refuted")),
            Error(arms, f"not within ±{CLOSE:g}", Rule("equivalent", CLOSE), ("refuted",)),
        ]
        for name, arms in NULLS.items()
    }
    failures = {
        name: [
            Error((arm, against), "equivalent", Rule("equivalent", margin), ("equivalent",)),
            Error((arm, against), "higher", Rule("higher"), ("supported",)),
        ]
        for name, (arm, against, margin) in FAILURES.items()
    }
    return nulls | failures


def accuracies(repeats: int, seed: int) -> Table:
    """False verdicts by the rule, and by the t interval alone."""
    rows = []
    for noise, kinds in errors().items():
        drawn = _drawn(kinds[0].arms, numpy_stream(seed, "calibrate", "accuracies", noise), repeats)
        for pairing in COMPARISONS:
            for error in kinds:
                values = [
                    _rate(drawn, count, pairing, error.rule._replace(bounded=bounded), *error.verdicts)
                    for bounded in (True, False)
                    for count in SEEDS
                ]
                rows.append(Row(keys=(noise, pairing, error.name), values=tuple(values)))
    return Table(
        name="accuracies",
        title=f"Accuracies, false verdicts: {repeats:,} studies a row",
        caption="supported: the worse of both directions, at equal means; not within: a true equivalence refuted; "
        "equivalent: though the means differ by more than the margin; higher: the arm that fails is supported as "
        "higher; t: by the t interval without the rule for accuracies",
        repeats=repeats,
        keys=("noise", "arms", "false verdict"),
        columns=tuple(Column(heading=f"{how}{count}", most=LEVEL) for how in ("n = ", "t, n = ") for count in SEEDS),
        rows=tuple(rows),
    )


def _drawn(arms: tuple[Arm, Arm], rng: np.random.Generator, repeats: int) -> tuple[Floats, Floats]:
    return draw(arms[0], rng, repeats, max(SEEDS)), draw(arms[1], rng, repeats, max(SEEDS))


def _rate(drawn: tuple[Floats, Floats], seeds: int, pairing: Pairing, rule: Rule, *wanted: str) -> float:
    arm_RN, against_RN = (values_RN[:, :seeds] for values_RN in drawn)
    verdict_R = verdicts(arm_RN, against_RN, by=COMPARISONS[pairing], rule=rule)
    return max(float(np.mean(verdict_R == one)) for one in wanted)


POWER_SEEDS = (3, 4, 5, 10, 20)
EFFECTS: dict[str, tuple[Arm, Arm]] = {
    "always against never, exactly": (Arm(1, 1, 0, 0), Arm(0, 1, 0, 0)),
    "always against never": (Arm(1, good=0.998), Arm(0)),
    "90% against 10%": (Arm(0.9), Arm(0.1)),
    "80% against 20%": (Arm(0.8), Arm(0.2)),
}
"""Shares of seeds that solve."""


def power(repeats: int, seed: int) -> Table:
    """How often the arm that solves more often is supported as the higher one."""
    rows = []
    for name, arms in EFFECTS.items():
        drawn = _drawn(arms, numpy_stream(seed, "calibrate", "accuracy power", name), repeats)
        for pairing in COMPARISONS:
            rule = Rule("higher", bounded=True)
            values = [_rate(drawn, count, pairing, rule, "supported") for count in POWER_SEEDS]
            rows.append(Row(keys=(name, pairing), values=tuple(values)))
    return Table(
        name="accuracy power",
        title=f"Accuracies, power: {repeats:,} studies a row",
        caption="supported, for the claim that the arm that solves more often is higher",
        repeats=repeats,
        keys=("seeds that solve", "arms"),
        columns=tuple(Column(heading=f"{count} seeds", digits=2) for count in POWER_SEEDS),
        rows=tuple(rows),
    )

"""In what the runs of a claim were too short for a verdict, as its verdict says it (the rules: results.training)."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from stacklab.study.planning.plan import Plan
from stacklab.study.results.collect import Row, curves
from stacklab.study.results.training import EPOCH, Training, prepared_data, read_training

LONGEST = 80
"""Characters of a text: it is part of a verdict in a table."""
DEMONSTRATION = "at a scale that only shows the machinery"


class Shortfall(NamedTuple):
    """One reason, and the label of the arm that it holds for, or "both"; empty if the text names no arm."""

    who: str
    text: str

    def sentence(self, *, labels: bool) -> str:
        who = self.who if labels or self.who in ("both", "") else "one arm"
        return f"{who} {self.text}".strip()


def too_short(plan: Plan, rows: Sequence[Row], out: Path) -> dict[str, str]:
    """Contrast -> in what its runs were too short, such as "at 60 steps, both still falling"; only those that were.

    Raises DataError for evaluations that cannot be read.
    """
    evals = curves(plan, out, "evals")
    data = cache(lambda fingerprint: prepared_data(out, fingerprint))
    finished = {name: [row for row in rows if row.arm == name] for name in (arm.name for arm in plan.arms)}
    finished = {name: own for name, own in finished.items() if all(row.status == "finished" for row in own)}
    texts = {}
    for contrast in plan.contrasts:
        arms = (contrast.claim.arm, contrast.against)
        if all(name in finished for name in arms):
            pair = [read_training(plan, plan.arm(name), contrast.claim, finished[name], evals, data) for name in arms]
            texts[contrast.id] = shortfall_text(pair) or _demonstration(plan)
    return {name: text for name, text in texts.items() if text}


def shortfall_text(pair: Sequence[Training]) -> str:
    """In what the runs of two arms were too short; empty if they were long enough.

    Where it would be too long, "one arm" stands for a label, and then the last reasons are left out.
    """
    reasons = list(_shortfalls(pair))
    steps = " and ".join(f"{steps:,}" for steps in sorted({arm.steps for arm in pair}))
    for kept in range(len(reasons), 0, -1):
        for labels in (True, False):
            parts = [f"at {steps} steps", *(reason.sentence(labels=labels) for reason in reasons[:kept])]
            text = ", ".join(parts)
            if len(text) <= LONGEST:
                return text
    return f"at {steps} steps" if reasons else ""


def _shortfalls(pair: Sequence[Training]) -> Iterator[Shortfall]:
    judged: tuple[tuple[str, Callable[[Training], bool]], ...] = (
        ("still falling", lambda arm: arm.falling is True),
        ("with too few evaluations to tell", lambda arm: arm.falling is None),
        ("hardly better than word frequencies", lambda arm: arm.hardly),
    )
    for text, holds in judged:
        if short := [arm.label for arm in pair if holds(arm)]:
            yield Shortfall(_quoted(short[0]) if len(short) == 1 else "both", text)
    few = [arm for arm in pair if arm.epochs is not None and arm.epochs < EPOCH]
    if few:
        shares = " and ".join(sorted({f"{arm.epochs:.2g}" for arm in few}, key=float))
        yield Shortfall(_quoted(few[0].label) if len(few) == 1 else "", f"after {shares} of an epoch")


def _quoted(label: str) -> str:
    """A label with a comma would read as two items of the list."""
    return f'"{label}"' if "," in label else label


def _demonstration(plan: Plan) -> str:
    return DEMONSTRATION if plan.study.scales[plan.scale].demonstration else ""

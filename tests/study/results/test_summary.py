"""The paragraph that a study begins with, from chosen results."""

import doctest
from pathlib import Path
from typing import Any

import pytest
from tests.study.rows import rows

from stacklab.api import load_study
from stacklab.study.planning.plan import Plan
from stacklab.study.results import results as module
from stacklab.study.results.analyse import ClaimResult, analyse
from stacklab.study.results.results import MOST, summarise


@pytest.fixture
def plan(tiny: Path) -> Plan:
    return load_study(str(tiny), out=tiny.parent / "out", seeds=(1, 2, 3, 4)).plan()


def results(plan: Plan, **change: Any) -> list[ClaimResult]:
    return [claim.model_copy(update=change) for claim in analyse(plan, rows(plan), [])]


def test_it_says_what_was_asked_what_is_shown_how_much_and_under_which_conditions(plan: Plan) -> None:
    text = summarise(plan, results(plan), [])
    assert text.startswith(
        "Question: Does it run? Shown: two layers fits better than one layer (-0.975 nats per token, "
    )
    assert "95 % interval -1.13 to -0.823). Not shown: two layers fits better than one wide layer (" in text, text
    assert text.endswith("holds for these settings and this held-out set.")
    assert "Conditions: 4 seeds, 6 steps of 2 x" in text and "2 comparisons together (Holm)" in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"verdict": "refuted"}, "Refuted: two layers fits"),
        ({"verdict": "equivalent"}, "Shown to be equal within the stated margin: two layers"),
        ({"verdict": "negligible"}, "The difference is smaller than what matters: two layers"),
        (
            {"verdict": "suggestive", "alone": "refuted"},
            "not shown: two layers fits better than one layer (suggestive of",
        ),
        ({"verdict": "invalid"}, "Cannot be judged: two layers fits better than one layer; two"),
        (
            {"verdict": "supported", "short": "at 6 steps"},
            "Too early to say: two layers fits better than one layer (su",
        ),
        ({"confirmatory": False}, "2 exploratory comparisons can only be suggestive."),
    ],
)
def test_every_verdict_has_its_sentence(plan: Plan, change: dict[str, Any], sentence: str) -> None:
    assert sentence in summarise(plan, results(plan, **change), [])


def test_many_claims_are_counted(plan: Plan) -> None:
    many = results(plan, verdict="supported") * MOST
    text = summarise(plan, many, [])
    assert f"; and {len(many) - MOST} more." in text and text.count("two layers") == MOST


def test_a_study_without_claims_says_so(plan: Plan) -> None:
    assert "This scale makes no claim." in summarise(plan, [], [])


def test_examples() -> None:
    assert doctest.testmod(module).failed == 0

from pathlib import Path

import pytest
from tests.study.planned import planned, with_claims

from stacklab.cli.plan_tables import family_of, family_text, never_shown
from stacklab.study.planning.plan import Plan


def test_without_primary_claims_all_comparisons_share_the_level(tiny: Path) -> None:
    plan = planned(tiny)
    assert family_of(plan) == list(plan.contrasts)
    assert family_text(plan) == ("2 confirmatory comparisons share one error level (Holm): fit:shallow, fit:wide")


def test_the_others_are_exploratory_beside_a_primary_claim(tiny: Path) -> None:
    tree = planned(tiny).dump()
    tree["contrasts"][0]["claim"]["primary"] = True
    plan = Plan.model_validate(tree)
    assert [contrast.id for contrast in family_of(plan)] == ["fit:shallow"]
    assert family_text(plan) == "one confirmatory comparison: fit:shallow; 1 exploratory, suggestive at best"


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_too_few_seeds_for_an_accuracy_are_named_with_those_that_could_do(tiny: Path, direction: str) -> None:
    accuracy = {"metric": "validation.accuracy", "direction": direction}
    few = with_claims(planned(tiny, seeds=(1, 2, 3)), **accuracy)
    first, _ = never_shown(few)
    assert first == "fit:shallow: 3 seeds cannot show it, not even always against never; it takes 4"
    assert list(never_shown(with_claims(planned(tiny, seeds=(1, 2, 3, 4)), **accuracy))) == []
    assert list(never_shown(planned(tiny, seeds=(1, 2)))) == [], "losses have no such bound"


def test_an_equivalence_of_accuracies_takes_the_seeds_of_its_margin(tiny: Path) -> None:
    equal = {"metric": "validation.accuracy", "direction": "equivalent", "margin": 0.05}
    first, _ = never_shown(with_claims(planned(tiny), **equal))
    number = int(first.rpartition("takes ")[2])
    assert "not even equal values at every seed" in first
    assert 0.95**number <= 0.025 < 0.95 ** (number - 1), "two comparisons share the level"

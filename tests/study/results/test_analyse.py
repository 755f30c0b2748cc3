from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from tests.study.planned import with_claims
from tests.study.rows import LOSSES, rows

from stacklab.api import load_study
from stacklab.stats.result import Estimate, Needed, PValue, SeedsNeeded, Undefined
from stacklab.stats.unpaired import welch, welch_tost
from stacklab.study.planning.plan import Plan
from stacklab.study.results.analyse import ClaimResult, analyse
from stacklab.study.results.collect import Row


@pytest.fixture
def plan(tiny: Path) -> Plan:
    return load_study(str(tiny), out=tiny.parent / "out", seeds=(1, 2, 3, 4)).plan()


def judged(plan: Plan, rows: list[Row]) -> dict[str, ClaimResult]:
    return {result.against: result for result in analyse(plan, rows, [])}


def test_a_clear_gap_is_supported_and_none_is_inconclusive(plan: Plan) -> None:
    by_arm = judged(plan, rows(plan))
    assert by_arm["shallow"].verdict == "supported"
    assert by_arm["shallow"].statement == "two layers fits better than one layer"
    assert by_arm["shallow"].seeds_needed is None
    assert by_arm["wide"].verdict == "inconclusive"
    assert isinstance(by_arm["wide"].seeds_needed, Needed)
    assert [(pair.arm, pair.against) for pair in by_arm["shallow"].pairs] == list(
        zip(LOSSES["deep"], LOSSES["shallow"], strict=True)
    )


def test_an_inconclusive_claim_names_the_seeds_for_its_power(plan: Plan) -> None:
    def needed(**change: Any) -> SeedsNeeded | None:
        wide = judged(with_claims(plan, **change), rows(plan))["wide"]
        assert wide.verdict == "inconclusive"
        return wide.seeds_needed

    usual, more = needed(), needed(power=0.95)
    assert isinstance(usual, Needed) and isinstance(more, Needed)
    assert 4 < usual.fewest < more.fewest
    assert (usual.power, more.power) == (0.8, 0.95)
    tied = needed(direction="equivalent", margin=0.1)
    assert isinstance(tied, Needed) and tied.fewest > 4
    far = needed(direction="equivalent", margin=0.04)
    assert isinstance(far, Needed) and far.fewest > tied.fewest
    assert (far.most, far.unbounded) == (None, "the difference may lie outside ±0.04")


def moving(plan: Plan, path: str) -> Plan:
    """The plan, if all its arms differed in `path` too."""
    tree = plan.dump()
    for contrast in tree["contrasts"]:
        contrast["differences"].append({"path": path, "left": 1, "right": 2})
    return Plan.model_validate(tree)


def test_arms_that_move_the_batches_are_judged_unpaired_and_say_so(plan: Plan) -> None:
    other = [row.model_copy(update={"batches": f"{row.arm} {row.seed}"}) for row in rows(plan)]
    by_arm = judged(moving(plan, "train.steps"), other)
    near, far = by_arm["wide"], by_arm["shallow"]
    assert {near.pairing, far.pairing} == {"unpaired"}
    assert (far.verdict, far.interval.method, far.relation) == ("supported", "Welch, unpaired", "excludes zero")
    assert far.difference == welch(LOSSES["deep"], LOSSES["shallow"], level=0.05)
    test = stats.ttest_ind(LOSSES["deep"], LOSSES["shallow"], equal_var=False)
    evidence = far.evidence
    assert isinstance(evidence.test, PValue) and evidence.test.p == pytest.approx(test.pvalue)
    assert isinstance(evidence.permutation, PValue) and evidence.permutation.p == pytest.approx(2 / 70)
    assert isinstance(evidence.effect, Estimate) and evidence.effect.method.startswith("Hedges g, unpaired")
    assert isinstance(evidence.superiority, Estimate) and evidence.superiority.n == 8
    assert evidence.correlation == Undefined(reason="the runs are not paired")
    assert isinstance(far.bootstrap, Estimate) and "unpaired" in far.bootstrap.method
    assert isinstance(near.seeds_needed, Needed) and near.seeds_needed.fewest > 4


def test_unpaired_equivalence_is_two_one_sided_welch_tests(plan: Plan) -> None:
    claim = with_claims(moving(plan, "train.batch_size"), direction="equivalent", margin=0.5)
    by_arm = judged(claim, rows(plan))
    assert (by_arm["wide"].verdict, by_arm["shallow"].verdict) == ("equivalent", "refuted")
    test, expected = by_arm["wide"].evidence.test, welch_tost(LOSSES["deep"], LOSSES["wide"], margin=0.5)
    assert isinstance(test, PValue) and isinstance(expected, PValue)
    assert (test.p, test.method) == (pytest.approx(expected.p), expected.method)


def test_accuracies_come_with_the_seeds_that_solve(plan: Plan) -> None:
    values = {"deep": [1.0] * 4, "shallow": [0.1, 0.96, 0.2, 0.1], "wide": [0.5] * 4}
    claimed = with_claims(plan, metric="validation.accuracy", direction="higher")
    accuracies = [
        row.model_copy(update={"metrics": {"validation.accuracy": row.metrics["train_probe.loss"]}})
        for row in rows(claimed, values)
    ]
    by_arm = judged(claimed, accuracies)
    solving = by_arm["shallow"].evidence.solving
    assert solving is not None and solving.method.endswith("4 of 4 against 1 of 4")
    assert judged(plan, rows(plan))["wide"].evidence.solving is None


def test_the_opposite_is_refuted_and_direction_counts(plan: Plan) -> None:
    assert judged(with_claims(plan, direction="higher"), rows(plan))["shallow"].verdict == "refuted"
    swapped = LOSSES | {"deep": LOSSES["shallow"], "shallow": LOSSES["deep"]}
    assert judged(plan, rows(plan, swapped))["shallow"].verdict == "refuted"


def test_equivalence_needs_the_whole_interval_within_the_margin(plan: Plan) -> None:
    def verdict(margin: float, against: str) -> str:
        return judged(with_claims(plan, direction="equivalent", margin=margin), rows(plan))[against].verdict

    assert verdict(0.5, "wide") == "equivalent"
    assert verdict(0.1, "wide") == "inconclusive"
    assert verdict(0.1, "shallow") == "refuted"


def test_a_run_that_did_not_finish_makes_the_claim_invalid_with_the_reason(plan: Plan) -> None:
    broken = [
        row.model_copy(update={"status": "diverged", "reason": "nan", "metrics": {}})
        if (row.arm, row.seed) == ("shallow", 2)
        else row
        for row in rows(plan)
    ]
    by_arm = judged(plan, broken)
    assert by_arm["shallow"].verdict == "invalid"
    assert by_arm["shallow"].interval == Undefined(reason="shallow seed 2: diverged (nan)")
    assert len(by_arm["shallow"].pairs) == 3
    assert by_arm["wide"].verdict == "inconclusive"


def test_other_batches_or_no_metric_make_the_claim_invalid(plan: Plan) -> None:
    other = [row.model_copy(update={"batches": "x"}) if row.arm == "wide" else row for row in rows(plan)]
    assert judged(plan, other)["wide"].interval.reason == "seed 1: the two arms did not see the same batches"
    assert judged(plan, other)["shallow"].verdict == "supported"
    none = rows(plan, metrics={"validation.loss": 1.0})
    assert "has no metric train_probe.loss; it has validation.loss" in judged(plan, none)["wide"].interval.reason


def test_arms_of_different_learning_rates_must_see_equal_batches_and_of_different_length_need_not(plan: Plan) -> None:
    other = [row.model_copy(update={"batches": "x"}) if row.arm == "wide" else row for row in rows(plan)]

    def verdict(path: str) -> str:
        return judged(moving(plan, path), other)["wide"].verdict

    assert verdict("train.optimizer.learning_rate") == "invalid"
    assert [verdict(path) for path in ("train.steps", "train.batch_size", "data.block_size")] == ["inconclusive"] * 3


def test_equal_values_are_no_evidence(plan: Plan) -> None:
    flat = {"deep": [0.0] * 4, "shallow": [0.0] * 4, "wide": [0.0] * 4}
    shallow = judged(plan, rows(plan, flat))["shallow"]
    assert shallow.verdict == "inconclusive"
    assert shallow.interval.reason == "identical at every seed; exact paired test, p = 1"


def test_p_values_are_corrected_for_all_claims_and_an_invalid_one_makes_none_easier(plan: Plan) -> None:
    by_arm = judged(plan, rows(plan))
    p = {name: result.evidence.test.p for name, result in by_arm.items()}
    assert p["shallow"] < 0.05 < p["wide"]
    assert by_arm["shallow"].evidence.holm.p == pytest.approx(2 * p["shallow"])
    broken = [row.model_copy(update={"status": "failed"}) if row.arm == "wide" else row for row in rows(plan)]
    alone = judged(plan, broken)
    assert alone["wide"].evidence.test.kind == "undefined"
    assert alone["shallow"].evidence.holm.p == pytest.approx(2 * p["shallow"])


def test_superiority_counts_the_seeds_at_which_the_claimed_direction_holds(plan: Plan) -> None:
    assert judged(plan, rows(plan))["shallow"].evidence.superiority.value == 1.0
    assert judged(with_claims(plan, direction="higher"), rows(plan))["shallow"].evidence.superiority.value == 0.0

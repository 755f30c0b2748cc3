"""Differences of losses as shares and as effective compute, on the page and in claims.csv."""

import csv
from io import StringIO

import pytest

from stacklab.report.facts.build import build_facts
from stacklab.report.sections.claims.evidence import SIZE_HEADS, evidence, loss_share, size_cells
from stacklab.report.sections.registry import csv_files, sections
from stacklab.stats.result import Estimate, Undefined
from stacklab.study.results.compute import EffectiveCompute
from tests.report.conftest import MakeStudy

COMPUTE = EffectiveCompute(better="layers-1", times=1.8, low=1.61, high=2.04, n=3)


def test_a_final_loss_has_both_and_other_metrics_have_neither(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    loss, best, share = (
        next(one for one in facts.contrasts if one.metric == metric)
        for metric in ("train_probe.loss", "validation.best_loss", "accuracy")
    )
    assert loss.compute is not None and best.compute is None and share.compute is None
    scaled = loss_share(loss)
    assert scaled is not None and isinstance(loss.difference, Estimate) and isinstance(loss.against_mean, Estimate)
    assert scaled.value == pytest.approx(loss.difference.value / loss.against_mean.value)
    assert scaled.low <= scaled.value <= scaled.high
    assert loss_share(best) is not None and loss_share(share) is None
    assert [cell.text for cell in size_cells(share)] == ["–", "–"]


def test_the_cell_names_the_better_arm_and_the_table_says_why_there_is_none(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    (first, *others) = facts.contrasts
    against = first.model_copy(update={"compute": COMPUTE})
    cell = size_cells(against)[1]
    assert (cell.text, cell.note) == ("1.8 times", "1 layer; 1.6 to 2 over seeds")
    arm = first.model_copy(update={"compute": COMPUTE.model_copy(update={"better": "layers-12"})})
    assert size_cells(arm)[1].note == "12 layers; 1.6 to 2 over seeds"
    none = first.model_copy(update={"compute": Undefined(reason="never got there")})
    table = evidence(facts.model_copy(update={"contrasts": (none, *others)}))
    assert table.heads[-2:] == SIZE_HEADS and table.rows[0][-1].text == "–"
    assert "–: never got there" in table.notes
    assert all(len(row) == len(table.heads) for row in table.rows)


def test_both_stand_in_the_csv(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(outcomes={("wide-1-parameters", 1): "diverged"}))
    first, *others = facts.contrasts
    facts = facts.model_copy(update={"contrasts": (first.model_copy(update={"compute": COMPUTE}), *others)})
    rows = list(csv.DictReader(StringIO(csv_files(sections(facts))["claims.csv"])))
    assert (rows[0]["compute_better_arm"], rows[0]["compute_times"]) == ("layers-1", "1.8")
    assert (rows[0]["compute_times_low"], rows[0]["compute_times_high"]) == ("1.61", "2.04")
    scaled = loss_share(first)
    assert scaled is not None and float(rows[0]["difference_share"]) == pytest.approx(scaled.value)
    invalid = next(row for row in rows if row["verdict"] == "invalid")
    assert (invalid["compute_times"], invalid["compute_better_arm"]) == ("", "")

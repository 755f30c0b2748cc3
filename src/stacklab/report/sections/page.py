"""What the HTML and the Markdown template are given: the facts, with the tables and strips made from them."""

from typing import Any

from stacklab.data.novelty import Novelty
from stacklab.report.drawing.figure import Figure
from stacklab.report.facts.build import Facts
from stacklab.report.facts.history import RunFact
from stacklab.report.facts.provenance import OrderFact
from stacklab.report.format.numbers import alone
from stacklab.report.format.palette import color_of
from stacklab.report.format.verdicts import MARKS, values_text, why
from stacklab.report.sections import tables
from stacklab.report.sections.aggregates import aggregates
from stacklab.report.sections.audit import audit
from stacklab.report.sections.curves import with_dropout
from stacklab.report.sections.evidence import against_control, evidence
from stacklab.report.sections.forest_plot import strip_groups
from stacklab.report.sections.grid import cell_table, grid_lead, threshold_table
from stacklab.report.sections.trend_tables import fit_table, gap_table, lead, point_table
from stacklab.report.sections.tuning import grid


def context(facts: Facts, figures: dict[str, Figure]) -> dict[str, Any]:
    shown = {arm.name: shown_run(facts.runs_of(arm.name)) for arm in facts.arms}
    return {
        "facts": facts,
        "figures": figures,
        "color_of": color_of,
        "colors": [color_of(arm) for arm in facts.arms],
        "marks": MARKS,
        "why": why,
        "values_text": values_text,
        "how": _how(facts),
        "groups": strip_groups(facts),
        "tally": _tally(facts),
        "unfinished": [run for run in facts.runs if run.status != "finished"],
        "tables": tables,
        "audit": audit,
        "evidence": evidence,
        "against_control": against_control,
        "grid": grid,
        "grid_lead": grid_lead,
        "cell_table": cell_table,
        "threshold_table": threshold_table,
        "aggregates": aggregates,
        "trend_lead": lead,
        "fit_table": fit_table,
        "gap_table": gap_table,
        "point_table": point_table,
        "shown_runs": shown,
        "sampled": any(run.samples for run in shown.values() if run is not None),
        "dropout": with_dropout(facts),
        "orders": orders_sentence(facts.orders),
        "copied": copied,
    }


def shown_run(runs: list[RunFact]) -> RunFact | None:
    """The run whose log and samples are printed: the first finished one, else the first with a log."""
    finished = [run for run in runs if run.status == "finished"]
    return next(iter(finished or [run for run in runs if run.log]), None)


def copied(novelty: Novelty) -> str:
    """How much of a text stands in the training split.

    >>> copied(Novelty(tokens=60, longest_copy=12, longest_copy_text="a dog", shares=(1, 1, 0.9, 0.75, 0.5, 0, 0, 0)))
    'in the training split: 75.0 % of its 4-grams, and at most 12 of its 60 tokens on end'
    """
    share = novelty.shares[3]
    grams = "" if share is None else f"{alone('share', share)} of its 4-grams, and "
    return f"in the training split: {grams}at most {novelty.longest_copy} of its {novelty.tokens} tokens on end"


def orders_sentence(orders: tuple[OrderFact, ...]) -> str:
    """Whether the arms that share their data saw the same batches; those of other tasks have other ones."""
    compared = [order for order in orders if order.equal is not None]
    if not compared:
        return "No seed has two finished arms that share their data, so there are no batch orders to compare."
    unequal = [str(order.seed) for order in compared if not order.equal]
    if unequal:
        return f"Arms that share their data did not see the same batches at seed {', '.join(unequal)}."
    seeds = "At the one seed compared" if len(compared) == 1 else f"At each of {len(compared)} seeds"
    return f"{seeds} all finished arms that share their data saw the same batches in the same order."


def _how(facts: Facts) -> str:
    """How the two arms of a comparison are set against each other, and what the dots are."""
    kinds = {contrast.pairing for contrast in facts.contrasts}
    paired = "paired by seed (dots: the raw pairs)"
    unpaired = "unpaired (dots: every run of either arm against the mean of the other)"
    if kinds == {"paired", "unpaired"}:
        return f"{paired}; where the arms differ in what moves the batches, {unpaired}"
    return unpaired if kinds == {"unpaired"} else paired


def _tally(facts: Facts) -> list[tuple[str, int]]:
    verdicts = [contrast.verdict for contrast in facts.contrasts]
    return [(verdict, verdicts.count(verdict)) for verdict in MARKS if verdict in verdicts]

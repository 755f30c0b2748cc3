"""The table at the end of a run."""

from io import StringIO

import pytest
from rich.console import Console

from stacklab.report.pages.terminal import verdict_table
from stacklab.study.results.results import StudyResult
from tests.report.conftest import MakeStudy, gridded_tree, study_tree


def printed(result: StudyResult, width: int, *, color: bool = False) -> str:
    console = Console(width=width, record=True, force_terminal=True, file=StringIO())
    console.print(verdict_table(result))
    return console.export_text(styles=color)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_every_comparison_fits_with_its_verdict_and_reason(make_study: MakeStudy, width: int) -> None:
    result = make_study(scale="laptop", outcomes={("wide-1-flops", 4): "missing"})
    text = printed(result, width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("✓ supported", "✗ refuted", "~ suggestive", "! invalid"):
        assert text.count(word) == [claim.verdict for claim in result.claims].count(word[2:])  # type: ignore[comparison-overlap]
    assert text.count("! invalid") == 4
    joined = " ".join(text.split())
    assert "the interval excludes 0" in joined
    assert "not run yet" in joined
    assert ("difference [t interval]" in joined) == (width >= 110)
    assert "5 seeds, scale laptop" in joined


def test_exploratory_comparisons_are_counted_only(make_study: MakeStudy) -> None:
    tree = study_tree()
    tree["claims"][0]["primary"] = True
    result = make_study(tree=tree)
    joined = " ".join(printed(result, 120).split())
    others = [claim for claim in result.claims if not claim.confirmatory]
    assert others and all(claim.statement not in joined.partition("Conditions")[2] for claim in others)
    assert "exploratory comparisons, listed in the report: " in joined


def test_long_verdicts_are_wrapped(make_study: MakeStudy) -> None:
    result = make_study()
    short = {"verdict": "supported", "short": "at 60 steps, both still falling"}
    claims = [claim.model_copy(update=short) for claim in result.claims]
    changed = StudyResult(**{**vars(result), "claims": claims})
    for width in (60, 100):
        text = printed(changed, width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" in text and "still" in text


def test_verdicts_are_coloured(make_study: MakeStudy) -> None:
    assert "\x1b[1;32m✓ supported" in printed(make_study(), 120, color=True)


def test_names_are_not_read_as_markup(make_study: MakeStudy) -> None:
    tree = study_tree()
    tree["arms"]["layers-12"] = tree["arms"]["layers-12"] | {"label": "[red]12[/red] [/]"}
    assert "[red]12[/red] [/]" in printed(make_study(tree=tree), 120)


def test_one_seed_and_no_claims_are_told(make_study: MakeStudy, tmp_path) -> None:  # type: ignore[no-untyped-def]
    single = printed(make_study(seeds=(3,)), 100)
    assert "? inconclusive" in single
    assert "needs 2 pairs, has 1" in single
    assert "1 seed, scale smoke" in single
    tree = study_tree()
    tree["claims"] = []
    assert "makes no claim" in printed(make_study(tree=tree, out=tmp_path / "other"), 100)


def test_a_grid_tells_its_thresholds(make_study: MakeStudy) -> None:
    result = make_study(tree=gridded_tree())
    joined = " ".join(printed(result, 120).split())
    assert "heads smallest value of layers at which a majority of seeds solve predicted seeds by layers" in joined
    assert joined.count("1: 2 of 2") == 2, "the losses of the made-up runs are all below the goal or above it"

"""Each kind of verdict in the terminal, in both pages and in the CSV file: formed from fields, not cut from text."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stacklab.report.facts.build import build_facts
from stacklab.report.format.verdicts import MARKS, TOO_SHORT, mark_of, reason_text, why
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.pages.terminal import verdict_table
from stacklab.report.pages.write import render_html
from stacklab.report.sections.registry import csv_files, sections
from stacklab.stats.result import Estimate, Needed, Undefined
from stacklab.study.results.results import StudyResult
from tests.report.conftest import MakeStudy, study_tree

ENDS = {"value": 0.01, "low": -0.02, "high": 0.04, "n": 3, "method": "t"}
OUTER, INNER = Estimate(level=0.95, **ENDS), Estimate(level=0.9, **ENDS)
LOWER = {"direction": "lower", "margin": None}
EQUAL = {"direction": "equivalent", "margin": 0.05}
SPAN = "interval of the difference [-0.02, +0.04]"
DIVERGED = "arm a seed 2: diverged"
CASES = {
    "supported": (LOWER, OUTER, "excludes zero", "the interval excludes 0", f"95% {SPAN} excludes 0"),
    "refuted": (
        LOWER,
        OUTER,
        "lies on the side not claimed",
        "the interval lies on the side not claimed",
        f"95% {SPAN} lies on the side not claimed",
    ),
    "equivalent": (
        EQUAL,
        INNER,
        "lies within the margin",
        "the 90% interval lies within ±0.05",
        f"90% {SPAN} lies within ±0.05",
    ),
    "negligible": (
        LOWER,
        OUTER,
        "lies within what matters",
        "the interval lies within ±0.05, the smallest difference that matters",
        f"95% {SPAN} lies within ±0.05, the smallest difference that matters",
    ),
    "suggestive": (LOWER, OUTER, "excludes zero", "the interval excludes 0", f"95% {SPAN} excludes 0"),
    "inconclusive": (LOWER, OUTER, "includes zero", "the interval includes 0", f"95% {SPAN} includes 0"),
    "invalid": (
        LOWER,
        Undefined(reason="arm a seed 2: diverged"),
        None,
        "arm a seed 2: diverged",
        "arm a seed 2: diverged",
    ),
}

WORDS = {"negligible": "smaller than what matters", "suggestive": "suggestive of the opposite"}
ALONE = {"suggestive": "refuted", "invalid": "inconclusive"}


def told(result: StudyResult, case: str) -> StudyResult:
    """The study with its first claim judged so."""
    rule, interval, relation, _, _ = CASES[case]
    first, *others = result.claims
    claim = first.claim.model_copy(update=rule)
    changed: dict[str, Any] = {"claim": claim, "verdict": case, "interval": interval, "relation": relation}
    changed |= {"short": "", "matters": 0.05, "alone": ALONE.get(case, case)}
    return StudyResult(**{**vars(result), "claims": [first.model_copy(update=changed), *others]})


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_is_told_alike_everywhere(make_study: MakeStudy, case: str) -> None:
    result = told(make_study(), case)
    *_, short, whole = CASES[case]
    assert (why(result.claims[0]), reason_text(result.claims[0])) == (short, whole)
    facts = build_facts(result)
    assert short in render_html(facts, sections(facts))
    markdown = render_markdown(facts, sections(facts)).replace("\\", "")
    assert f" {WORDS.get(case, case)} | " in markdown and f"| {short} |" in markdown
    assert whole in csv_files(sections(facts))["claims.csv"].splitlines()[1].replace('"', "")
    console = Console(width=200, file=(printed := StringIO()))
    console.print(verdict_table(result))
    assert f"{short} " in " ".join(printed.getvalue().split())
    assert WORDS.get(case, case) in printed.getvalue()
    assert next(iter(result.verdicts.values())) == WORDS.get(case, case)


def test_a_verdict_on_runs_that_were_too_short_says_so_and_is_grey(make_study: MakeStudy) -> None:
    result = told(make_study(), "supported")
    short = result.claims[0].model_copy(update={"short": "at 60 steps, both still falling"})
    assert short.word == "supported at 60 steps, both still falling"
    assert mark_of(short) == TOO_SHORT and mark_of(result.claims[0]) != TOO_SHORT
    open_one = short.model_copy(update={"verdict": "inconclusive"})
    assert open_one.word == "inconclusive" and mark_of(open_one) == MARKS["inconclusive"]


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("inconclusive", "invalid")])
def test_the_word_on_short_runs_is_the_same_everywhere(make_study: MakeStudy, case: str) -> None:
    result = told(make_study(), case)
    text = "at 60 steps, both still falling"
    first = result.claims[0].model_copy(update={"short": text})
    result = StudyResult(**{**vars(result), "claims": [first, *result.claims[1:]]})
    word = f"{WORDS.get(case, case)} {text}"
    assert next(iter(result.verdicts.values())) == word
    facts = build_facts(result)
    stored = facts.dump()["contrasts"][0]
    assert (stored["short"], stored["verdict"], facts.contrasts[0].word) == (text, case, word)
    page = render_html(facts, sections(facts))
    assert page.count(f'<span class="badge open"><span aria-hidden="true">…</span>{word}</span>') == 1
    assert f"… {word} | " in render_markdown(facts, sections(facts)).replace("\\", "")
    assert f'"{word}"' in csv_files(sections(facts))["claims.csv"].splitlines()[1]
    console = Console(width=220, file=(printed := StringIO()))
    console.print(verdict_table(result))
    assert f"… {word}" in printed.getvalue()


def test_a_scale_that_only_demonstrates_says_so_first(make_study: MakeStudy, tmp_path: Path) -> None:
    notice = "Scale smoke shows the machinery: its runs are too short to answer the question."
    tree = study_tree()
    for demonstration in (True, False):
        tree["scales"]["smoke"]["demonstration"] = demonstration
        result = make_study(tree=tree, out=tmp_path / str(demonstration))
        facts = build_facts(result)
        page = render_html(facts, sections(facts))
        header = page[: page.index("</header>")]
        assert (f'<p class="notice"><b>{notice}</b></p>' in header) is demonstration
        markdown = render_markdown(facts, sections(facts)).replace("\\", "")
        assert (f"**{notice}**" in markdown[: markdown.index("\n## ")]) is demonstration
        console = Console(width=200, file=(printed := StringIO()))
        console.print(verdict_table(result))
        assert (printed.getvalue().splitlines()[0] == notice) is demonstration
        judged = [claim for claim in result.claims if claim.verdict not in ("inconclusive", "invalid")]
        assert judged and all(claim.too_short is demonstration for claim in judged)


@pytest.mark.parametrize(
    ("relation", "sentence"),
    [
        ("lies outside the margin", "the interval lies outside ±0.05"),
        ("crosses the margin", "the interval crosses ±0.05"),
    ],
)
def test_an_equivalence_that_is_not_shown_names_its_margin(make_study: MakeStudy, relation: str, sentence: str) -> None:
    first = told(make_study(), "equivalent").claims[0]
    assert (
        why(
            first.model_copy(update={"verdict": "refuted", "alone": "refuted", "interval": OUTER, "relation": relation})
        )
        == sentence
    )


def test_seeds_needed_and_a_late_claim_are_added_and_a_missing_interval_is_named_once(make_study: MakeStudy) -> None:
    first = told(make_study(), "inconclusive").claims[0]
    late = {
        "seeds_needed": Needed(fewest=12, most=60, power=0.8, level=0.95),
        "afterthought": "made when results could be seen",
    }
    assert why(first.model_copy(update=late)) == (
        "the interval includes 0; 12 to 60 seeds would reach 80 % power (95% interval of the effect); "
        "claim made when results could be seen"
    )
    none = Undefined(reason="needs 2 pairs, has 1")
    single = {"interval": none, "relation": None, "seeds_needed": none}
    assert why(first.model_copy(update=single)) == "needs 2 pairs, has 1"
    other = {**single, "seeds_needed": Undefined(reason="it would take more than 10,000 seeds")}
    assert "; the number of seeds needed is unknown: it would" in why(first.model_copy(update=other))

"""Perplexities of a finite but huge loss: a study has its report, and the statistics say why they are undefined."""

import warnings

import pytest

from stacklab.base.files import read_json, write_json
from stacklab.report.format.verdicts import reason_text
from stacklab.report.pages.write import write_report
from stacklab.run.paths import OutPaths
from stacklab.run.verify import HASHES, hashes
from stacklab.study.results.results import StudyResult, open_results
from tests.report.conftest import MakeStudy, study_tree
from tests.report.pages.test_terminal import printed

CLAIM = {
    "id": "perplexity",
    "statement": "{arm} has a lower perplexity than {against}",
    "metric": "validation.perplexity",
    "direction": "lower",
    "arm": "layers-12",
    "against": ["layers-1"],
}


def with_perplexities(make_study: MakeStudy, huge: float, *, runs: int) -> StudyResult:
    """The study with a claim on the perplexity, in which that many runs have a huge one."""
    tree = study_tree()
    tree["claims"].append(CLAIM)
    result = make_study(tree=tree)
    for place, row in enumerate(result.rows[:runs]):
        path = (paths := OutPaths(result.out).run(row.run_id)).result
        stored = read_json(path)
        stored |= {"metrics": stored["metrics"] | {CLAIM["metric"]: huge * (1 - place / 100)}}
        write_json(path, stored | {HASHES: hashes(paths, stored)})
    return open_results(result.folder)


@pytest.mark.parametrize("runs", [1, 9])
@pytest.mark.parametrize("huge", [1e110, 1e160, 1.7e308])
def test_one_huge_perplexity_spoils_no_report(make_study: MakeStudy, huge: float, runs: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = with_perplexities(make_study, huge, runs=runs)
        text = write_report(result).markdown.read_text(encoding="utf-8")
    *others, claim = result.claims
    assert "invalid" not in {other.verdict for other in others}
    assert claim.verdict == "inconclusive"
    assert "too large to compute with" in reason_text(claim)
    assert claim.evidence.test.kind == claim.bootstrap.kind == claim.evidence.effect.kind == "undefined"
    assert "too large to compute with" in text
    assert max(map(len, text.replace("|", " ").split())) < 120, "no number of 300 digits"
    assert "large to compute with" in " ".join(printed(result, 80).split())

"""HTML and Markdown: self-contained, complete, and deaf to whatever stands in names, prompts and samples."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import plotly.offline
import pytest

from stacklab.audit.examine import audit
from stacklab.base.files import read_json, write_json
from stacklab.report.drawing.plotly import CONFIG
from stacklab.report.facts.build import build_facts
from stacklab.report.facts.provenance import OrderFact
from stacklab.report.pages.markdown import escape, fenced, render_markdown
from stacklab.report.pages.write import ASSETS, BUNDLE, render_html, script_json
from stacklab.report.sections.registry import sections
from stacklab.report.sections.setup.provenance import orders_sentence
from stacklab.run.paths import OutPaths
from stacklab.study.results.results import StudyResult, open_results
from tests.report.conftest import MANIFEST, MakeStudy, gridded_tree, study_tree

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'`|${{7*7}} http://evil.example"
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href", "background", "formaction"}


class Page(HTMLParser):
    """All tags with their attributes, and the text of each script by its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts.append(data)
            self._script = False


def html_of(result: StudyResult) -> str:
    facts = build_facts(result)
    return render_html(facts, sections(facts))


def markdown_of(result: StudyResult) -> str:
    facts = build_facts(result)
    return render_markdown(facts, sections(facts))


def hostile(make_study: MakeStudy) -> StudyResult:
    tree = study_tree()
    tree |= {"title": EVIL, "question": EVIL, "background": EVIL, "limits": [EVIL]}
    tree["arms"] = {name: arm | {"label": f"{name} {EVIL}"} for name, arm in tree["arms"].items()}
    tree["base"]["sample"]["prompts"] = [EVIL]
    tree["source"]["reported"][1]["note"] = EVIL
    tree["scales"]["smoke"] |= {"description": EVIL, "expected_time": EVIL}
    tree["source"] |= {"title": EVIL, "differences": [EVIL]}
    result = make_study(tree=tree, outcomes={("layers-1", 1): "failed"})
    for row in result.rows:
        paths = OutPaths(result.out).run(row.run_id)
        text = [{"prompt": EVIL, "text": EVIL}]
        copy = {"tokens": 9, "longest_copy": 2, "longest_copy_text": EVIL, "shares": [0.5] * 8}
        write_json(paths.samples, {"before": text, "after": [text[0] | {"novelty": copy}]})
        write_json(paths.provenance, read_json(paths.provenance) | {"arguments": [EVIL], "processor": EVIL})
        if paths.error.exists():
            write_json(paths.error, {"error": EVIL})
    return open_results(result.folder)


def test_hostile_texts_stay_text_in_html(make_study: MakeStudy) -> None:
    plain, evil = Page(html_of(make_study())), Page(html_of(hostile(make_study)))
    assert [tag for tag, _ in evil.tags].count("script") == [tag for tag, _ in plain.tags].count("script") == 3
    assert all(tag != "img" and not any(name.startswith("on") for name in attrs) for tag, attrs in evil.tags)
    panels = json.loads(evil.scripts[1])
    names = [trace.get("name", "") for panel in panels.values() for trace in panel["data"]]
    assert any("&lt;img" in name for name in names), "plotly reads HTML in names"
    assert not any("<" in name for name in names)


def test_the_page_asks_for_nothing_outside_itself(make_study: MakeStudy) -> None:
    page = Page(html_of(make_study()))
    loaded = [value for _, attrs in page.tags for name, value in attrs.items() if name in LOADING]
    assert loaded, "the table of contents has links"
    assert all(value is not None and value.startswith("#") for value in loaded)
    policy = next(attrs for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert (policy["content"] or "").startswith("default-src 'none';")
    style = (files("stacklab.report.pages") / "templates" / "style.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


def test_what_the_data_warn_of_stands_before_the_first_section(make_study: MakeStudy) -> None:
    result = make_study()
    head = html_of(result).split("<section")[0]
    assert "<li>3 records spell a marker such as &lt;|endoftext|&gt;; it is encoded as text.</li>" in head
    assert "3 records spell a marker" in markdown_of(result).split("\n## ")[0]
    assert "<b>The data:</b>" not in html_of(make_study(manifest=MANIFEST | {"warnings": []}))


def test_every_link_of_the_contents_leads_somewhere(make_study: MakeStudy) -> None:
    tags = Page(html_of(make_study())).tags
    targets = {attrs["id"] for _, attrs in tags if "id" in attrs}
    assert {str(attrs["href"])[1:] for tag, attrs in tags if tag == "a"} <= targets


def test_no_figure_offers_to_upload_itself(make_study: MakeStudy) -> None:
    page = Page(html_of(make_study()))
    panels = json.loads(page.scripts[1])
    places = [str(attrs["data-panel"]) for _, attrs in page.tags if "data-panel" in attrs]
    assert sorted(places) == sorted(panels)
    assert len(places) == 3 + 2 + 6 + 1 + 1
    assert all(panel["config"] == CONFIG for panel in panels.values())
    assert CONFIG["showSendToCloud"] is False
    assert CONFIG["plotlyServerURL"] == ""


def test_the_bundle_is_the_version_that_plotly_checks_figures_for() -> None:
    head = (ASSETS / BUNDLE).read_text(encoding="utf-8")[:300]
    found = re.search(r"v(\d+\.\d+\.\d+)", head)
    assert found is not None
    assert found[1] == plotly.offline.get_plotlyjs_version()
    assert "MIT" in (ASSETS / "plotly-LICENSE.txt").read_text(encoding="utf-8")


def test_json_in_a_script_cannot_end_it() -> None:
    encoded = script_json({"a": "</script><!-- \u2028 &"})
    assert not set("<>&\u2028") & set(encoded)
    assert json.loads(encoded) == {"a": "</script><!-- \u2028 &"}


def test_pages_say_what_the_facts_say(make_study: MakeStudy) -> None:
    result = make_study(outcomes={("wide-1-parameters", 3): "diverged"})
    for page in (html_of(result), markdown_of(result)):
        assert "1 of 9 runs did not finish" in page
        assert "became nan at step 41" in page
        assert "scale smoke runs without this arm" in page
        assert "Scale smoke does not use the source" in page
        assert "At each of 3 seeds" in page
        assert "371,040" in page, "the parameters of 12 layers"
        assert "2.13.0+cpu" in page or "2.13.0\\+cpu" in page


def test_orders_are_told_of_arms_that_share_their_data_alone() -> None:
    """Arms over other tasks have other batches, and are compared with none."""

    def order(seed: int, equal: bool | None) -> OrderFact:
        return OrderFact(seed=seed, arms=4, equal=equal, hashes=("a", "b"))

    told = "all finished arms that share their data saw the same batches in the same order."
    assert orders_sentence((order(1, True), order(2, True), order(3, None))) == f"At each of 2 seeds {told}"
    assert orders_sentence((order(1, True),)) == f"At the one seed compared {told}"
    unequal = "Arms that share their data did not see the same batches at seed 2."
    assert orders_sentence((order(1, True), order(2, False))) == unequal
    assert "two finished arms that share their data" in orders_sentence((order(1, None),))


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_pages_bear_a_study_with_next_to_nothing(make_study: MakeStudy, seeds: tuple[int, ...]) -> None:
    """One arm, no claims, no accuracy, no samples, no source, no manifest; half of the runs missing."""
    tree = study_tree()
    tree["claims"], tree["source"], tree["limits"], tree["background"] = [], None, [], ""
    tree["scales"]["smoke"]["arms"] = ["layers-1"]
    tree["base"]["sample"]["prompts"] = []
    result = make_study(
        tree=tree, seeds=seeds, hops=(), manifest={"fingerprint": "f" * 16}, outcomes={("layers-1", 1): "missing"}
    )
    for page in (html_of(result), markdown_of(result)):
        assert "makes no claim" in page and "Verdicts" not in page
        assert "not run yet" in page


def test_a_single_seed_prints_undefined_with_its_reason(make_study: MakeStudy) -> None:
    result = make_study(seeds=(1,))
    for page in (html_of(result), markdown_of(result)):
        assert "± undefined" in page
        assert "needs 2 values, has 1" in page
        assert "needs 2 pairs, has 1" in page


def test_hostile_texts_stay_text_in_markdown(make_study: MakeStudy) -> None:
    from markdown_it import MarkdownIt

    page = Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown_of(hostile(make_study))))
    tags = {tag for tag, _ in page.tags}
    assert "table" in tags
    assert "script" not in tags
    images = {attrs["src"] for tag, attrs in page.tags if tag == "img"}
    names = ("claims", "curves", "overlay", "costs", "accuracy", "aggregates")
    assert images == {f"figures/{name}.png" for name in names}
    assert all(not any(name.startswith("on") for name in attrs) for _, attrs in page.tags)


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("a ```` b").startswith("`````text\n")
    assert escape("a|b\nc") == "a\\|b c"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium to open the page with")
def test_a_browser_draws_every_panel_without_a_complaint(make_study: MakeStudy, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(html_of(hostile(make_study)), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += ["--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]
    command = ["chromium", *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    drawn = [attrs for _, attrs in Page(done.stdout).tags if "js-plotly-plot" in (attrs.get("class") or "")]
    assert len(drawn) == 3 + 2 + 6 + 1 + 1
    assert "CONSOLE" not in done.stderr, "an error, or something that the content security policy refused"


def test_the_audit_of_a_source_stands_in_both_pages_and_its_texts_stay_text(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    log.write_text(
        "".join(f"step {10 * n}: train loss {5 - 0.1 * n:.4f}, val loss {5.1 - 0.1 * n:.4f}\n" for n in range(20))
    )
    found = audit([log])
    hostile = found.findings[0].model_copy(update={"sentence": EVIL})
    facts = build_facts(make_study(), found.model_copy(update={"findings": (*found.findings, hostile)}))
    html, markdown = render_html(facts, sections(facts)), str(render_markdown(facts, sections(facts)))
    assert "What the source's own numbers show" in markdown and 'id="audit"' in html
    assert found.findings[0].sentence[:30] in html
    assert "<script>alert(1)</script>" not in html + markdown
    assert 'id="audit"' not in render_html(build_facts(make_study()), {})


def test_a_study_without_samples_has_no_such_section(make_study: MakeStudy) -> None:
    result = make_study()
    assert "Samples before and after training" in markdown_of(result)
    assert 'id="samples"' in html_of(result) and 'href="#samples"' in html_of(result)
    for row in result.rows:
        OutPaths(result.out).run(row.run_id).samples.unlink()
    for page in (html_of(result), markdown_of(result)):
        assert "Samples before and after training" not in page and '"#samples"' not in page


def test_dropout_is_told_of_studies_that_have_it_alone(make_study: MakeStudy, tmp_path: Path) -> None:
    with_it = make_study(out=tmp_path / "dropped")
    assert "measured with dropout" in html_of(with_it) and "with dropout; train probe" in html_of(with_it)
    tree = study_tree()
    tree["base"]["model"] |= {"dropout": 0.0, "attention_dropout": 0.0}
    without = make_study(tree=tree, out=tmp_path / "none")
    for page in (html_of(without), markdown_of(without)):
        assert "with dropout" not in page
    tree["knobs"].append("model.attention_dropout")
    tree["arms"]["layers-1"]["change"]["model.attention_dropout"] = 0.2
    assert "measured with dropout" in html_of(make_study(tree=tree, out=tmp_path / "one"))


def test_the_grid_tells_its_threshold_and_the_rule_of_twice_the_steps(make_study: MakeStudy) -> None:
    result = make_study(tree=gridded_tree())
    for page in (html_of(result), markdown_of(result)):
        assert "the threshold is the smallest value of layers at which that is so" in page
        assert "fewer than 2 times the steps in which the next deeper one that solves did so" in page


def test_samples_say_what_of_them_was_seen_in_training(make_study: MakeStudy) -> None:
    result = make_study()
    for page in (html_of(result), markdown_of(result).replace("\\", "")):
        _, told = page.split("75.0 % of its 4-grams; longest copied span: 6 of its 7 tokens", 1)
        assert "Tom has 3" in told[:60]


def test_control_characters_are_shown_by_their_numbers_in_both_pages(make_study: MakeStudy) -> None:
    tree, text = study_tree(), "\x1b[2J \u202eevil\x07 `tick` $x$ :bomb:"
    tree |= {"title": text, "question": text, "background": text}
    tree["arms"] = {name: arm | {"label": f"{name} {text}"} for name, arm in tree["arms"].items()}
    result = make_study(tree=tree)
    page, markdown = html_of(result), markdown_of(result)
    for written in (page.partition("<script>")[0], Page(page).scripts[1], markdown):
        assert r"\u202eevil" in written.replace("\\\\", "\\") and not {"\x1b", "\u202e", "\x07"} & set(written)
    assert r"\`tick\` \$x\$ \:bomb:" in markdown

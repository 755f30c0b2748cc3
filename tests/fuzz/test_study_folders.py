"""Files of a finished study, each with edits: read for a report, and planned again."""

import json
import shutil
import tempfile
from functools import cache
from io import StringIO
from pathlib import Path

from hypothesis import strategies as st
from rich.console import Console
from tests.fuzz.mutations import damaged_bytes, damaged_tree, fuzzed, read_or_refused
from tests.study.heads import run, study_file

from stacklab.report.facts.build import build_facts
from stacklab.report.pages.page import page_facts
from stacklab.report.pages.terminal import verdict_table
from stacklab.study.results.results import open_results


@cache
def finished() -> Path:
    """An output folder, kept for the session."""
    return run(study_file(Path(tempfile.mkdtemp()))).out


def _report(folder: Path) -> None:
    result = open_results(folder)
    Console(file=StringIO()).print(verdict_table(result))
    page_facts(build_facts(result), ())


def check(edits: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "out")
        shutil.copytree(finished(), out, ignore=shutil.ignore_patterns("cache"))
        folder = out / "studies" / "heads-smoke"
        files = [*folder.glob("*.json*"), *sorted((out / "runs").rglob("*.json*"))]
        file = edits.draw(st.sampled_from(sorted(files)))
        if file.suffix == ".json" and edits.draw(st.booleans()):
            file.write_text(json.dumps(edits.draw(damaged_tree(json.loads(file.read_text())))))
        else:
            file.write_bytes(edits.draw(damaged_bytes(file.read_bytes())))
        read_or_refused(lambda: _report(folder), place=file.name)


test_folders, test_many_folders = fuzzed(check, edits=st.data())

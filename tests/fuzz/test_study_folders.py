"""Files of a finished study, each with edits: read for a report, and planned again."""

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from hypothesis import strategies as st
from tests.fuzz.mutations import damaged_bytes, damaged_tree, fuzzed, read_or_refused
from tests.study.heads import run, shown, study_file

from stacklab.study.results.results import open_results


@cache
def finished() -> Path:
    """An output folder, kept for the session."""
    return run(study_file(Path(tempfile.mkdtemp()))).out


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
        read_or_refused(lambda: shown(open_results(folder)), place=file.name)


test_folders, test_many_folders = fuzzed(check, edits=st.data())

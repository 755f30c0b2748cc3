"""Study files: every built-in one with edits, and a small one up to its plan."""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from tests.fuzz.mutations import damaged_bytes, damaged_tree, fuzzed, read_or_refused
from tests.study.heads import study_file

from stacklab.api import load_study
from stacklab.study.spec.load import builtin_studies, read_study

STUDIES = sorted(builtin_studies().values())
TREES = {path: yaml.safe_load(path.read_text()) for path in STUDIES}

trees = st.sampled_from(STUDIES).flatmap(lambda path: damaged_tree(TREES[path]))
texts = st.sampled_from(STUDIES).flatmap(lambda path: damaged_bytes(path.read_bytes()))


def check_text(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.yaml")
        path.write_bytes(text)
        read_or_refused(lambda: read_study(str(path), scale="smoke"), place="study.yaml")


def check_tree(tree: Any) -> None:
    check_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=False).encode())


def check_plan(edits: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = study_file(Path(name))
        tree = edits.draw(damaged_tree(yaml.safe_load(file.read_text()), most_edits=1, values=MODEST))
        file.write_text(yaml.safe_dump(tree, sort_keys=False))
        read_or_refused(lambda: load_study(str(file), out=Path(name, "out")).plan(), place="")


MODEST = (None, True, 0, 1, -1, 3, 2.5, float("nan"), float("inf"), "", "x", [], {}, [[]], {"kind": "x"})
"""Sizes that a machine can hold."""

test_texts, test_many_texts = fuzzed(check_text, text=texts)
test_trees, test_many_trees = fuzzed(check_tree, tree=trees)
test_plans, test_many_plans = fuzzed(check_plan, edits=st.data())

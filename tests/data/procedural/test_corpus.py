"""The corpus as a whole: balanced, repeatable, without copies, and scored strictly."""

import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from stacklab.base.errors import DataError
from stacklab.data.procedural.corpus import extract_answer, generate, is_correct, solve
from stacklab.data.procedural.spec import ProceduralSpec

Record = dict[str, Any]

# The text of a corpus is part of the identity of every run on it: change this only with a reason in the commit.
FIRST_100 = "6bb422a933b8a7e487ace3070bc309a42c894df2ceb5d09a6940533fc4c8d502"


def digest(records: list[Record]) -> str:
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(generate(ProceduralSpec()))


def user(record: Record) -> str:
    return str(record["messages"][1]["content"])


def assistant(record: Record) -> str:
    return str(record["messages"][2]["content"])


def test_a_record_is_a_conversation_whose_answer_the_solver_confirms(records: list[Record]) -> None:
    for record in records:
        assert list(record) == ["messages", "family", "hops", "answer"]
        assert [turn["role"] for turn in record["messages"]] == ["system", "user", "assistant"]
        answer = solve(user(record), record["family"])
        assert extract_answer(assistant(record)) == answer == record["answer"]
        thinking, _, _ = assistant(record).removeprefix("<think>\n").partition("\n</think>\n")
        assert len(thinking.splitlines()) == record["hops"]


def test_first_records_are_pinned(records: list[Record]) -> None:
    assert digest(records[:100]) == FIRST_100


def test_another_process_makes_the_same_records_without_torch_or_numpy() -> None:
    program = (
        "import hashlib, json, sys\n"
        "from stacklab.data.procedural.corpus import generate\n"
        "from stacklab.data.procedural.spec import ProceduralSpec\n"
        "records = list(generate(ProceduralSpec(records=100)))\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
        "print(hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == FIRST_100


def test_a_longer_corpus_begins_with_the_shorter_one(records: list[Record]) -> None:
    assert list(generate(ProceduralSpec(records=53))) == records[:53]


def test_families_and_hops_come_equally_often() -> None:
    spec = ProceduralSpec(records=407, families=("state", "ordering", "kinship"), hops=(1, 3, 6))
    made = list(generate(spec))
    counts = Counter((record["family"], record["hops"]) for record in made)
    assert len(made) == 407
    assert set(counts) == set(itertools.product(spec.families, spec.hops))
    assert max(counts.values()) - min(counts.values()) <= 1
    orders = {tuple((r["family"], r["hops"]) for r in made[start : start + 9]) for start in range(0, 396, 9)}
    assert len(orders) > 40  # the order of cells is drawn anew for every block


def test_no_question_comes_twice(record_property: Any) -> None:
    longer = [user(record) for record in generate(ProceduralSpec(records=8000, corpus_seed=5))]
    share = 1 - len(set(longer)) / len(longer)
    record_property("share of repeated questions", share)
    assert share <= 0.0005


def test_neighbouring_seeds_share_nothing(records: list[Record]) -> None:
    here = {user(record) for record in records}
    for seed in (1, 2, -1):
        there = list(generate(ProceduralSpec(corpus_seed=seed)))
        assert sum(user(record) in here for record in there) <= 1
        same = sum(a["answer"] == b["answer"] for a, b in zip(records, there, strict=True))
        assert same / len(records) < 0.05


def test_the_most_frequent_answer_is_a_poor_guess(records: list[Record], record_property: Any) -> None:
    cells: dict[tuple[str, int], Counter[str]] = {}
    for record in records:
        cells.setdefault((record["family"], record["hops"]), Counter())[record["answer"]] += 1
    for cell, answers in cells.items():
        share = max(answers.values()) / answers.total()
        record_property(f"most frequent answer {cell}", share)
        assert share < 0.12, (cell, answers.most_common(1))


def test_planted_mistakes_are_seen(records: list[Record]) -> None:
    for record, other in itertools.pairwise(records[:500]):
        right, wrong = assistant(record), other["answer"]
        assert is_correct(right, record["answer"])
        if wrong == record["answer"]:
            continue
        assert not is_correct(right, wrong)
        thinking, closing, ending = right.rpartition("</think>")
        assert not is_correct(thinking + closing + ending.replace(record["answer"], wrong), record["answer"])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\na\n</think>\nThe answer is 42.", "42"),
        ("</think>Answer:  Maria", "Maria"),
        ("</think>\n\nso the answer is blue .\nHow many coins?", "blue"),
        ("</think>\nThe answer is the  mill.", "the  mill"),
        ("The answer is 42.", None),
        ("<think>\nThe answer is 42.\n", None),
        ("</think>", None),
        ("</think>\n", None),
        ("</think>\nThe answer is .", None),
        ("</think>\nThe answer is 4. The answer is 5.", None),
        ("</think>\nI think\nThe answer is 4.", None),
        ("</think>\nanswering 4.", None),
        ("", None),
    ],
)
def test_extract_answer(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize("text", ["</think>\nthe ANSWER is  tom", "</think> Answer: Tom.", "</think>\nAnswer: Tom .  "])
def test_case_spaces_and_full_stop_do_not_matter(text: str) -> None:
    assert is_correct(text, "Tom")
    assert is_correct(text, " tom.")
    assert not is_correct(text, "Tommy")
    assert not is_correct(text, "")


def test_unknown_family_is_refused() -> None:
    with pytest.raises(DataError, match="no family 'geometry'; expected one of arithmetic"):
        solve("What is it?", "geometry")


def test_a_corpus_is_made_in_seconds() -> None:
    before = time.process_time()
    assert sum(1 for _ in generate(ProceduralSpec(records=5000))) == 5000
    assert time.process_time() - before < 5  # about 0.4 s on a laptop core

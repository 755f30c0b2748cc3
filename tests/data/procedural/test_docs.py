"""docs/corpus.md quotes the default corpus and what was counted in it; both are checked against the code."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacklab.data.procedural.corpus import generate
from stacklab.data.procedural.spec import FAMILY_NAMES, ProceduralSpec

Record = dict[str, Any]
PAGE = Path(__file__).parents[3] / "docs" / "corpus.md"
WORD = re.compile(r"\w+")


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(generate(ProceduralSpec()))


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_example_is_the_first_record_with_two_hops(family: str, records: list[Record], page: str) -> None:
    record = next(r for r in records if r["family"] == family and r["hops"] == 2)
    shown = "\n\n".join(f"[{turn['role']}] {turn['content']}" for turn in record["messages"])
    assert f"```\n{shown}\n```" in page, shown


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_counts_of_a_family(family: str, records: list[Record], page: str) -> None:
    own = [record for record in records if record["family"] == family]
    answers = {record["answer"] for record in own}
    words = [sum(len(turn["content"].split()) for turn in record["messages"]) for record in own]
    cells: dict[int, Counter[str]] = {}
    for record in own:
        cells.setdefault(record["hops"], Counter())[record["answer"]] += 1
    frequent = [max(cell.values()) / cell.total() for cell in cells.values()]
    row = [
        family,
        f"{sum(words) / len(words):.0f}",
        f"{max(words)}",
        f"{len(answers)}",
        f"{sum(frequent) / len(frequent):.1%}",
        f"{_share(own, answers, lambda told, answer: (answer in told) / len(set(told))):.1%}",
        f"{_share(own, answers, lambda told, answer: told[-1] == answer):.1%}",
        f"{_share(own, answers, _rarest):.1%}",
    ]
    line = f"| {' | '.join(row)} |"
    assert line in page, line


def test_counts_of_the_corpus(records: list[Record], page: str) -> None:
    text = [turn["content"] for record in records for turn in record["messages"]]
    words = sum(len(one.split()) for one in text)
    kinds = {kind for one in text for kind in WORD.findall(one)}
    numbers = {kind for kind in kinds if kind.isdigit()}
    line = (
        f"4,000 records hold {words:,} words, {words / len(records):.0f} a record, "
        f"of {len(kinds) - len(numbers)} different words and {len(numbers)} numbers."
    )
    assert line in page, line


def test_code_on_the_page_works(page: str) -> None:
    (setting,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert ProceduralSpec.model_validate(yaml.safe_load(setting)) == ProceduralSpec()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(program, {})


def _share(own: list[Record], answers: set[str], hit: Callable[[list[str], str], float]) -> float:
    """How often a guess that sees only which possible answers the text names, in order, is right."""
    told = [[word for word in WORD.findall(record["messages"][1]["content"]) if word in answers] for record in own]
    return sum(hit(words, record["answer"]) for words, record in zip(told, own, strict=True) if words) / len(own)


def _rarest(told: list[str], answer: str) -> float:
    counts = Counter(told)
    rarest = [word for word, count in counts.items() if count == min(counts.values())]
    return (answer in rarest) / len(rarest)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.parts.templates import canonical
from stacklab.tasks.template_matching import TemplateMatching

LISTS = st.lists(st.text("ABCD", min_size=4, max_size=4), min_size=2, max_size=5, unique_by=canonical)


@settings(deadline=None)
@given(templates=LISTS, train=st.integers(4, 9), unseen=st.integers(4, 9))
def test_any_size(templates: list[str], train: int, unseen: int) -> None:
    check_task(TemplateMatching(templates=tuple(templates), train_symbols=train, unseen_symbols=unseen))


def test_trained_and_unseen_symbols_are_disjoint_and_all_are_used() -> None:
    task = TemplateMatching(train_symbols=20, unseen_symbols=10)
    train, unseen = (set(task.draw(stream(), 500, split=split).tokens_BT[:, :-1].ravel()) for split in task.splits)
    assert train == set(range(20))
    assert unseen == set(range(20, 30))


def test_different_wildcards_are_different_symbols_and_templates_equally_likely() -> None:
    batch = TemplateMatching(train_symbols=4, unseen_symbols=4).draw(stream(), 4000)
    for template, tokens in zip(batch.slice_BT[:, -1], batch.tokens_BT[:, :-1].tolist(), strict=True):
        assert len(set(tokens)) == len(set(TemplateMatching().templates[template]))
    assert abs(np.bincount(batch.slice_BT[:, -1]) - 500).max() < 6 * 500**0.5


def test_one_comparison_is_worth_one_more_template() -> None:
    """Any pair of places parts the eight templates in two, and one of each part is guessed."""
    assert baselines_of(TemplateMatching(), 8000)["one comparison"] == pytest.approx(2 / 8, abs=0.02)


def test_same_or_different_has_no_shortcut_to_compare_with() -> None:
    baselines = baselines_of(TemplateMatching(templates=("AA", "AB")), 4000)
    assert list(baselines) == ["most frequent"]
    assert baselines["most frequent"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("field", ["train_symbols", "unseen_symbols"])
def test_too_few_symbols_are_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=f"a template has 3 wildcards and needs as many symbols; {field} is 2"):
        TemplateMatching.model_validate({field: 2})

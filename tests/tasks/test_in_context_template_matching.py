import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.in_context_template_matching import AnnealedIdentity, InContextTemplateMatching
from stacklab.tasks.parts.templates import canonical

LISTS = st.lists(st.text("ABC", min_size=3, max_size=3), min_size=2, max_size=4, unique_by=canonical)


@settings(deadline=None)
@given(templates=LISTS, strings=st.integers(2, 5), spare=st.integers(0, 3))
def test_any_size(templates: list[str], strings: int, spare: int) -> None:
    pool = 3 * strings + spare
    check_task(
        InContextTemplateMatching(templates=tuple(templates), strings=strings, train_symbols=pool, unseen_symbols=pool),
    )


@pytest.mark.parametrize(
    ("templates", "strings", "rate"),
    [(("AAB", "ABA", "ABB", "ABC"), 6, 0.459), (("AA", "AB"), 6, 0.619), (("AAB", "ABA", "ABB", "ABC"), 10, 0.358)],
)
def test_the_majority_of_the_labels_so_far(templates: tuple[str, ...], strings: int, rate: float) -> None:
    task = InContextTemplateMatching(templates=templates, strings=strings)
    assert baselines_of(task, 8000)["majority of the labels so far"] == pytest.approx(rate, abs=0.012)


def strings_and_labels(tokens_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    padded_BMP = np.pad(tokens_BT, ((0, 0), (0, 1)), constant_values=-1).reshape(len(tokens_BT), -1, 4)
    return padded_BMP[:, :, :-1], padded_BMP[:, :-1, -1]


def test_no_symbol_stands_in_two_strings() -> None:
    """Otherwise equal symbols would lead to the label, and the template would not be needed."""
    task = InContextTemplateMatching(train_symbols=18, unseen_symbols=18)
    for split, low in (("train", 0), ("unseen", 18)):
        strings_BMk, _ = strings_and_labels(task.draw(stream(), 200, split=split).tokens_BT)  # type: ignore[arg-type]
        for strings in strings_BMk.tolist():
            sets = [set(string) for string in strings]
            assert sum(map(len, sets)) == len(set().union(*sets))
        assert set(strings_BMk.ravel()) == set(range(low, low + 18))


def identity_share(task: InContextTemplateMatching, step: int | None) -> float:
    """The share of sequences whose labels are those of the identity map."""
    strings_BMk, label_BM = strings_and_labels(task.draw(stream(), 4000, step=step).tokens_BT)
    a, b, c = np.moveaxis(strings_BMk[:, :-1], 2, 0)
    template_BM = np.select([a == b, a == c, b == c], [0, 1, 2], default=3)
    return float((label_BM - 640 == template_BM).all(axis=1).mean())


def test_training_begins_with_the_identity_map_and_ends_with_random_ones() -> None:
    task = InContextTemplateMatching(curriculum=AnnealedIdentity(start=1.0, steps=100))
    by_chance = identity_share(task, None)
    assert by_chance < 0.12
    assert identity_share(task, 0) == 1.0
    assert identity_share(task, 50) == pytest.approx(0.5 + by_chance / 2, abs=0.03)
    assert identity_share(task, 100) == by_chance
    assert identity_share(task.model_copy(update={"curriculum": None}), 0) == by_chance


def test_the_step_moves_nothing_but_the_labels() -> None:
    task = InContextTemplateMatching()
    early, late = (task.draw(stream(), 64, step=step) for step in (0, 5000))
    strings = [strings_and_labels(batch.tokens_BT)[0] for batch in (early, late)]
    np.testing.assert_array_equal(*strings)
    np.testing.assert_array_equal(early.slice_BT, late.slice_BT)
    assert not np.array_equal(early.tokens_BT, late.tokens_BT)


@pytest.mark.parametrize("field", ["train_symbols", "unseen_symbols"])
def test_too_few_symbols_are_refused(field: str) -> None:
    message = f"6 strings x 3 wildcards = 18 symbols without repetition; {field} is 17"
    with pytest.raises(ValidationError, match=message):
        InContextTemplateMatching.model_validate({field: 17})


def test_the_share_falls_in_a_line_and_stays_at_zero() -> None:
    curriculum = AnnealedIdentity(start=0.9, steps=4000)
    assert [curriculum.share(step) for step in (0, 2000, 4000, 4001)] == [0.9, 0.45, 0.0, 0.0]

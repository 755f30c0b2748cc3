"""Every construction against its oracle, in float32 and float64; and that it needs what it says it needs."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from stacklab.base.errors import SpecError
from stacklab.interp.construct.compile import compiled, model_spec
from stacklab.interp.construct.mapping import Mapping
from stacklab.interp.construct.registry import CONSTRUCTIONS, blueprint
from stacklab.interp.construct.verify import Verified, draw, least_sharpness, verify
from stacklab.model.transformer import Transformer
from stacklab.tasks.parts.templates import canonical

DEPTH = {
    "copying": 1,
    "parsing": 1,
    "matching": 1,
    "mapping": 1,
    "sequence-classification": 1,
    "question-answering": 2,
    "template-matching": 2,
    "template-matching-one-layer": 1,
    "in-context-template-matching": 3,
}
SIZES: list[tuple[str, dict[str, Any], int | None]] = [
    ("copying", {"offset": 11}, None),
    ("copying", {"symbols": 2, "sequence_length": 40, "offset": 7}, 1),
    ("copying", {}, 4),
    ("parsing", {"symbols": 3, "segments": 5, "segment_length": 6}, 2),
    ("matching", {"questions": 2, "answers": 2, "pairs": 2}, None),
    ("matching", {"questions": 30, "answers": 20, "pairs": 30}, 5),
    ("mapping", {"symbols": 33, "classes": 5}, 5),
    ("sequence-classification", {"sequences": 50}, 1),
    ("sequence-classification", {"sequences": 240}, 5),
    ("sequence-classification", {"symbols": 2, "sequence_length": 4, "sequences": 4, "classes": 2}, None),
    ("question-answering", {"questions": 2, "answers": 2, "pairs": 2}, 2),
    ("question-answering", {"questions": 100, "answers": 90, "pairs": 40}, 7),
    ("template-matching", {"templates": ("AA", "AB"), "train_symbols": 2, "unseen_symbols": 2}, None),
    ("template-matching", {"templates": ("AABBCC", "ABCDEF", "ABCABC", "ABCCBA")}, 3),
    ("template-matching-one-layer", {"templates": ("AA", "AB")}, 3),
    ("in-context-template-matching", {"templates": ("AA", "AB"), "strings": 12}, 2),
    ("in-context-template-matching", {"templates": ("AABB", "ABAB", "ABBA", "ABCA", "AABC", "ABCC")}, None),
]


def all_right(checked: tuple[Verified, ...]) -> bool:
    return all(one.right == one.answers > 0 and one.changed == 0 and one.margin > 0.1 for one in checked)


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_it_answers_everything_at_the_depth_it_claims(name: str) -> None:
    plan = blueprint(name)
    spec = model_spec(plan)
    assert spec.num_layers == DEPTH[name]
    assert {layer.d_ff for layer in spec.layers} == {0}
    assert (spec.norm.placement, spec.norm.has_final, spec.mask) == ("none", False, "causal")
    assert type(compiled(plan)) is Transformer
    checked = verify(plan, sequences=1000)
    assert [one.split for one in checked] == list(plan.exercise.splits)
    assert all_right(checked)


@pytest.mark.parametrize(("name", "settings", "heads"), SIZES, ids=str)
def test_it_answers_everything_at_other_sizes_and_with_more_heads(
    name: str, settings: dict[str, Any], heads: int | None
) -> None:
    plan = blueprint(name, settings, heads=heads)
    assert heads is None or {len(layer.heads) for layer in plan.layers} == {heads}
    assert all_right(verify(plan, sequences=300, seed=5))


def test_the_claimed_numbers_of_heads() -> None:
    one = ("question-answering", "template-matching", "in-context-template-matching")
    assert all(layer.num_heads == 1 for name in one for layer in model_spec(blueprint(name)).layers)
    assert model_spec(blueprint("template-matching-one-layer")).layers[0].num_heads == 4 + 6
    assert model_spec(blueprint("sequence-classification")).layers[0].num_heads == 10


@pytest.mark.parametrize(("places", "count"), [(2, 2), (3, 5), (4, 15)])
def test_all_patterns_of_up_to_four_places_are_told_apart_in_context(places: int, count: int) -> None:
    templates = patterns_of(places)
    assert len(templates) == count
    assert all_right(verify(blueprint("in-context-template-matching", {"templates": templates}), sequences=200))


@pytest.mark.parametrize("name", ["copying", "parsing", "matching", "mapping"])
def test_the_draws_of_operations_agree_with_their_oracles(name: str) -> None:
    plan = blueprint(name)
    batch = draw(plan, 200)
    np.testing.assert_array_equal(plan.exercise.oracle(batch.tokens_BT), batch.targets_BT)
    assert len(set(plan.exercise.names)) == plan.exercise.vocab_size
    with pytest.raises(ValueError, match="no split 'unseen'"):
        draw(plan, 1, split="unseen")


@pytest.mark.parametrize("name", ["parsing", "question-answering", "template-matching", "in-context-template-matching"])
def test_blunt_scores_answer_wrong(name: str) -> None:
    """And just sharp enough ones do not, far below what is used."""
    assert not all_right(verify(blueprint(name, sharpness=0.5), sequences=300))
    least = least_sharpness(lambda value: blueprint(name, sharpness=value), sequences=300)
    assert least in (1, 2, 3)
    assert not all_right(verify(blueprint(name, sharpness=least - 0.99), sequences=300))


def test_no_sharpness_that_suffices_is_told() -> None:
    blunt = blueprint("question-answering", sharpness=0.1)
    assert least_sharpness(lambda _: blunt, sequences=50) is None


def test_each_layer_is_needed() -> None:
    """Without what a layer moves, answers fall to guessing."""
    for name in ("question-answering", "template-matching", "in-context-template-matching"):
        plan = blueprint(name)
        batch = draw(plan, 300)
        for gone in range(len(plan.layers)):
            model = compiled(plan)
            with torch.no_grad():
                model.blocks[gone].attention.output.weight.zero_()
                logits_NV = model.logits(
                    model(torch.from_numpy(batch.tokens_BT))[torch.from_numpy(batch.target_mask_BT)]
                )
            right = (logits_NV.argmax(1).numpy() == batch.targets_BT[batch.target_mask_BT]).mean()
            assert right < 0.6, f"{name} without layer {gone + 1}"


def test_the_table_of_mapping_is_not_linear_in_the_codes() -> None:
    """Else a readout without the layer would do."""
    task = Mapping()
    bits = 2.0 * (np.arange(16)[:, None] >> np.arange(4) & 1) - 1
    rows = np.hstack((bits, np.ones((16, 1))))
    fit = rows @ np.linalg.lstsq(rows, np.eye(4)[task.table], rcond=None)[0]
    assert (fit.argmax(1) == task.table).mean() < 0.9


def patterns_of(places: int) -> tuple[str, ...]:
    return tuple(sorted({canonical("".join(each)) for each in product("ABCDE"[:places], repeat=places)}))


FIVE_PLACES = patterns_of(5)


REFUSED: list[tuple[str, dict[str, Any], int | None, str]] = [
    ("nothing", {}, None, "no construction is called 'nothing'; there are copying"),
    ("question-answering", {"pairs": 40}, None, "40 pairs need 40 different questions"),
    ("question-answering", {"pair": 4}, None, "pair: no such setting; it has questions, answers, pairs"),
    ("question-answering", {}, 7, "a layer moves 6 coordinates, too few for 7 heads"),
    ("copying", {"offset": 12}, None, "12 back is outside of every sequence of length 12"),
    ("matching", {"questions": 3}, None, "6 pairs need 6 different questions; questions is 3"),
    ("sequence-classification", {}, 11, "at most one per place of the sequence, 10"),
    ("sequence-classification", {}, 1, r"1 x 49 \+ 1 = 50 features do not hold 512 sequences: \d+ are misread"),
    ("template-matching-one-layer", {}, 4, "4 places \\+ 6 pairs = 10 heads"),
    ("template-matching", {"templates": ("AAB", "BBA")}, None, "are one pattern"),
    ("in-context-template-matching", {"templates": FIVE_PLACES, "strings": 2}, None, "use fewer templates"),
]


@pytest.mark.parametrize(("name", "settings", "heads", "message"), REFUSED)
def test_what_cannot_be_built_is_refused(name: str, settings: dict[str, Any], heads: int | None, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        blueprint(name, settings, heads=heads)


def test_right_answers_are_those_of_float32_and_changed_ones_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A float32 that answers everything and a float64 that answers nothing."""
    plan = blueprint("copying")
    target_BT = plan.exercise.oracle(draw(plan, 10).tokens_BT)
    right_N = torch.from_numpy(target_BT[target_BT >= 0])

    def logits(model: Transformer, tokens_BT: np.ndarray, target_mask_BT: np.ndarray) -> torch.Tensor:
        double = next(model.parameters()).dtype == torch.float64
        return torch.nn.functional.one_hot((right_N + double) % 16, 16).double()

    monkeypatch.setattr("stacklab.interp.construct.verify.target_logits", logits)
    (verified,) = verify(plan, sequences=10)
    assert (verified.right, verified.changed, verified.margin) == (verified.answers, verified.answers, 1.0)

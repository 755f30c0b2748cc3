"""Each field of each task is flipped, and what is drawn must change."""

from typing import Any

import numpy as np
import pytest

from stacklab.tasks.spec import TASKS

FLIPS: dict[str, dict[str, Any]] = {
    "sequence-classification": {
        "symbols": 40,
        "sequence_length": 9,
        "classes": 9,
        "sequences": 500,
        "table_seed": 1,
    },
    "question-answering": {"questions": 31, "answers": 15, "pairs": 7},
    "template-matching": {"templates": ["AB", "AA"], "train_symbols": 1000, "unseen_symbols": 200},
    "in-context-template-matching": {
        "templates": ["AB", "AA"],
        "strings": 5,
        "train_symbols": 500,
        "unseen_symbols": 100,
        "curriculum": None,
    },
    "k-hop": {"hops": [1, 2, 3], "symbols": 15, "sequence_length": 65},
    "associative-recall": {
        "keys": 60,
        "values": 60,
        "pairs": 5,
        "sequence_length": 60,
        "power_a": 0.5,
        "query_stride": 2,
        "filler": "random",
    },
    "two-hop": {"nodes": 29, "chains": 4, "hops": 3, "order": "forward"},
    "pointer-chasing": {"functions": 4, "points": 7, "steps": [1, 2], "order": "reversed"},
    "group-word": {"group": "Z6", "word_length": 7, "ask": "last"},
    "parity": {"bits": 7},
    "lego": {"symbols": 25, "chains": 1, "clauses": 3, "order": "forward"},
    "in-context-recall": {"keys": 7, "values": 7, "pairs": 63, "loss_on": "answers"},
    "noisy-recall": {
        "keys": 7,
        "values": 7,
        "pairs": 63,
        "loss_on": "answers",
        "noise_symbols": 15,
        "noise_share": 0.3,
    },
    "fuzzy-recall": {
        "keys": 8,
        "values": 7,
        "key_length": 2,
        "value_length": 2,
        "sequence_length": 127,
        "loss_on": "answers",
    },
    "selective-copying": {"symbols": 13, "copied": 15, "sequence_length": 255},
    "memorisation": {"keys": 127, "values": 129, "pairs": 15, "table_seed": 1},
}


def drawn(task: Any) -> list[Any]:
    batches = [task.draw(np.random.default_rng(0), 8, split=split, step=0) for split in task.splits]
    return [array.tolist() for batch in batches for array in batch]


def test_no_field_is_forgotten() -> None:
    fields = {kind: set(task.model_fields) - {"kind"} for kind, task in TASKS.items()}
    assert fields == {kind: set(flips) for kind, flips in FLIPS.items()}


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, flips in FLIPS.items() for field in flips])
def test_the_field_acts(kind: str, field: str) -> None:
    assert drawn(TASKS[kind].model_validate({field: FLIPS[kind][field]})) != drawn(TASKS[kind]())

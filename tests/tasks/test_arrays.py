"""Sequences of other programs come in as they are; what cannot be used is refused with file and place."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter
from tests.tasks.contract import check_batch, check_names_and_layout, stream

from stacklab.base.errors import DataError
from stacklab.tasks.arrays import Arrays
from stacklab.tasks.k_hop import KHop
from stacklab.tasks.parts.sequence_file import read_sequences
from stacklab.tasks.spec import Task

INPUTS, TARGETS = [[1, 2, 3], [3, 2, 1]], [[-1, 2, -100], [-1, -1, 0]]


def write(path: Path, **rows: Any) -> str:
    """A file in the form of its ending, from columns; `inputs` and `targets` are lists of rows."""
    if path.suffix == ".npz":
        np.savez(path, **{name: np.array(column) for name, column in rows.items()})
    elif path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(rows, row, strict=True))) for row in zip(*rows.values(), strict=True)]
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".parquet":
        pq.write_table(pa.table(rows), path)
    else:
        path.mkdir()
        for name, column in rows.items():
            np.save(path / f"{name}.npy", np.array(column))
    return str(path)


def arrays(tmp_path: Path, **settings: Any) -> Arrays:
    paths = {name: write(tmp_path / f"{name}.npz", inputs=INPUTS, targets=TARGETS) for name in ("train", "validation")}
    return Arrays.model_validate(paths | settings)


@pytest.mark.parametrize("name", ["a.npz", "a.jsonl", "a.parquet", "folder"])
@pytest.mark.parametrize("targets", ["targets", "labels"])
def test_every_form_holds_the_same_sequences(name: str, targets: str, tmp_path: Path) -> None:
    found = read_sequences([write(tmp_path / name, inputs=INPUTS, **{targets: TARGETS})]).padded(3, by_length=False)
    assert found.tokens_BT.tolist() == INPUTS
    assert found.targets_BT.tolist() == [[-1, 2, -1], [-1, -1, 0]]
    assert found.slice_BT.tolist() == [[-1, 0, -1], [-1, -1, 0]]


def test_it_has_the_members_of_a_task(tmp_path: Path) -> None:
    task = arrays(tmp_path)
    assert (task.vocab_size, task.length, task.slices(), task.readout.tolist()) == (4, 3, {0: "all"}, [0, 2])
    check_names_and_layout(task)
    for split in task.splits:
        batch = task.draw(stream(), 7, split=split)
        check_batch(task, batch, 7)
        np.testing.assert_array_equal(task.oracle(batch.tokens_BT), batch.targets_BT)
    assert task.baselines(batch) == {"most frequent": pytest.approx(4 / 7)}
    assert sorted(task.draw(stream(), 2).tokens_BT.tolist()) == INPUTS, "each sequence once in a round"
    assert TypeAdapter(Task).validate_python(task.dump()) == task
    with pytest.raises(ValueError, match="row 0 is no sequence of the files"):
        task.oracle(np.array([[0, 0, 0]]))


def test_several_files_of_several_lengths_make_one_part(tmp_path: Path) -> None:
    long = write(tmp_path / "long.jsonl", inputs=[[4, 5, 6, 7, 1]], targets=[[-1, -1, -1, -1, 5]])
    short = write(tmp_path / "short.npz", inputs=INPUTS, targets=TARGETS)
    task = Arrays.model_validate({"train": [short, long], "validation": short})
    assert task.mixed_lengths and task.length == 5
    assert task.slices() == {3: "length=3", 5: "length=5"}
    part = task.part("train")
    assert part.tokens_BT.tolist() == [[1, 2, 3, 0, 0], [3, 2, 1, 0, 0], [4, 5, 6, 7, 1]]
    assert part.targets_BT.tolist() == [[-1, 2, -1, -1, -1], [-1, -1, 0, -1, -1], [-1, -1, -1, -1, 5]]
    assert part.slice_BT.max(axis=1).tolist() == [3, 3, 5]


@pytest.mark.parametrize("slices", [[4, 7], [[-1, 4, 4], [-1, -1, 7]]])
def test_slices_come_from_the_files(slices: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", inputs=INPUTS, targets=TARGETS, slices=slices)
    task = Arrays(train=(file,), validation=(file,))
    assert task.slices() == {4: "slice=4", 7: "slice=7"}
    assert task.part("train").slice_BT.tolist() == [[-1, 4, -1], [-1, -1, 7]]


def test_a_changed_file_is_read_again_and_known_by_its_content(tmp_path: Path) -> None:
    task = arrays(tmp_path)
    before = task.content
    write(tmp_path / "train.npz", inputs=[[9, 2, 3]], targets=[[-1, 2, -1]])
    assert task.vocab_size == 10
    assert task.content["train"] != before["train"] and task.content["validation"] == before["validation"]


def test_the_number_of_ids_can_be_stated(tmp_path: Path) -> None:
    assert arrays(tmp_path, ids=9).vocab_size == 9
    with pytest.raises(DataError, match=r"train\.npz: sequence 1: inputs\[2\] is 3, expected an id from 0 to 2$"):
        _ = arrays(tmp_path, ids=3).vocab_size


def test_settings_are_not_chosen_on_the_validation_part(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.task\.tuning: settings are chosen on a part of their own"):
        arrays(tmp_path).part("tuning")


def test_data_of_zoology_come_in(tmp_path: Path) -> None:
    """np.savez(path, inputs=segment.inputs, labels=segment.labels) of its docstring's example: vocab_size 12."""
    inputs = [[2, 8, 4, 7, 0, 0, 4, 0, 0, 0, 0, 0, 2, 0, 0, 0]]
    labels = np.full((1, 16), -100)
    labels[0, [6, 12]] = 7, 8
    file = write(tmp_path / "mqar.npz", inputs=inputs, labels=labels, slices=[2])
    task = Arrays(train=(file,), validation=(file,), ids=12)
    batch = task.part("train")
    assert batch.targets_BT[batch.scored_BT].tolist() == [7, 8]
    assert task.slices() == {2: "slice=2"}


def test_data_of_mad_come_in(tmp_path: Path) -> None:
    """A folder for each part, with inputs.npy and targets.npy; or lines of text, as its DiskDataset writes them."""
    inputs, targets = [[1, 4, 0, 3, 0, 3, 0]], [[-100, -100, -100, -100, 3, -100, 3]]
    folder = write(tmp_path / "test", inputs=inputs, targets=targets)
    lines = tmp_path / "train_1.jsonl"
    lines.write_text(json.dumps({"inputs": "1 4 0 3 0 3 0", "targets": "-100 -100 -100 -100 3 -100 3"}) + "\n")
    task = Arrays(train=(str(lines),), validation=(folder,))
    for one, other in zip(task.part("train"), task.part("validation"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_data_of_the_authors_of_k_hop_come_in(tmp_path: Path) -> None:
    """get_batch of hop-induction-heads: 1 hop, symbols a to c as ids 4 to 6 of hops 0 to 3; `~` is 7, `_` is 8.

    Its targets are next to each input; no answer and the first place are trained on and not scored.
    """
    words, answers = list("1abacbabc"), list("_~~b~acab")
    number = {name: place for place, name in enumerate("0123abc~_")}
    inputs, targets = ([[number[word] for word in row]] for row in (words, answers))
    slices = [[1 if word in "abc" else -1 for word in answers]]
    file = write(tmp_path / "hops.npz", inputs=inputs, targets=targets, slices=slices)
    batch = Arrays(train=(file,), validation=(file,)).part("train")
    assert batch.target_mask_BT.all()
    ours = KHop(hops=(0, 1, 2), symbols=3, sequence_length=8)
    tokens_BT = np.array([[ours.names.index(f"{word}-hop" if word.isdigit() else word) for word in words]])
    wanted = [ours.names[token] for token in ours.oracle(tokens_BT)[0, 1:]]
    assert wanted == [word.replace("~", "none") for word in answers[1:]]
    assert batch.scored_BT[0].tolist() == [False, *(word != "none" for word in wanted)]


BAD = {
    "shapes": (
        {"inputs": INPUTS, "targets": [[1, 2], [1, 2]]},
        r"a\.npz: inputs \[2, 3\] and targets \[2, 2\]; expected",
    ),
    "one dimension": ({"inputs": [1, 2], "targets": [1, 2]}, r"a\.npz: inputs \[2\] and targets \[2\]; expected one"),
    "type": ({"inputs": [[0.5]], "targets": [[1]]}, r"a\.npz: inputs .* of type float64; expected"),
    "text": ({"inputs": [["a"]], "targets": [[1]]}, r"a\.npz: inputs .* of type <U1; expected"),
    "no inputs": ({"x": INPUTS, "targets": TARGETS}, r"a\.npz: has x, targets; expected inputs and targets"),
    "both": (
        {"inputs": INPUTS, "targets": TARGETS, "labels": TARGETS},
        r"a\.npz: has inputs, targets, labels; expected",
    ),
    "negative": ({"inputs": [[1, -5]], "targets": [[1, 1]]}, r"a\.npz: sequence 1: inputs\[1\] is -5, expected an id"),
    "ignore": ({"inputs": [[1, 1]], "targets": [[1, -2]]}, r"targets\[1\] is -2, expected .*, -1 or -100 for none"),
    "large": ({"inputs": [[2**40]], "targets": [[1]]}, r"sequence 1: inputs\[0\] is 1099511627776, expected an id"),
    "no target": ({"inputs": [[1]], "targets": [[-100]]}, r"a\.npz: no position has a target; -1 and -100 mean none"),
    "empty": ({"inputs": np.zeros((0, 3), int), "targets": np.zeros((0, 3), int)}, r"a\.npz: holds no sequence"),
    "no position": (
        {"inputs": np.zeros((2, 0), int), "targets": np.zeros((2, 0), int)},
        r"sequence 1: inputs is empty",
    ),
    "slices": (
        {"inputs": INPUTS, "targets": TARGETS, "slices": [1, 2, 3]},
        r"a\.npz: slices \[3\]; expected \[sequences",
    ),
    "nothing scored": ({"inputs": INPUTS, "targets": TARGETS, "slices": [-1, -1]}, r"so none is scored"),
}


@pytest.mark.parametrize("case", BAD)
def test_arrays_that_cannot_be_used_are_refused(case: str, tmp_path: Path) -> None:
    columns, message = BAD[case]
    with pytest.raises(DataError, match=message):
        read_sequences([write(tmp_path / "a.npz", **columns)])


LINES = {
    '{"inputs": [1, 2], "targets": [1]}': r"a\.jsonl:1: 2 inputs and 1 targets; there is one target per position",
    '{"inputs": [1, true], "targets": [1, 1]}': r"a\.jsonl:1: inputs holds True, expected whole numbers",
    '{"inputs": [1.5], "targets": [1]}': r"a\.jsonl:1: inputs holds 1.5, expected whole numbers",
    '{"inputs": [1' + "0" * 5000 + '], "targets": [1]}': r"a\.jsonl:1: not JSON",
    '{"inputs": [9223372036854775808], "targets": [1]}': r"a\.jsonl:1: inputs holds 9223372036854775808, expected",
    '{"inputs": "1 x", "targets": "1 1"}': r"a\.jsonl:1: inputs holds 'x', expected whole numbers with blanks",
    '{"inputs": {"a": 1}, "targets": [1]}': r"a\.jsonl:1: inputs is .*, expected a list of whole numbers",
    '{"inputs": [], "targets": []}': r"a\.jsonl:1: inputs is empty",
    '{"inputs": [1], "target": [1]}': r"a\.jsonl:1: has inputs, target; expected inputs and targets",
    "[1, 2]": r"a\.jsonl:1: expected an object",
    "{": r"a\.jsonl:1: not JSON",
    "[" * 100_000: r"a\.jsonl:1: not JSON",
    '{"inputs": [1], "targets": [1], "slices": [1, 2]}': r"a\.jsonl:1: 1 inputs and 2 slices; give one number, or one",
    '{"inputs": [1], "targets": [1], "slices": -2}': r"a\.jsonl:1: slices are numbers from 0 to",
    '{"inputs": [1], "targets": [1]}\n{"inputs": [1], "targets": [1], "slices": 0}': r"some sequences have slices and",
}


@pytest.mark.parametrize("text", LINES, ids=[str(place) for place in range(len(LINES))])
def test_lines_that_cannot_be_used_are_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(text)
    with pytest.raises(DataError, match=LINES[text]):
        read_sequences([str(file)])


def test_files_that_are_none_of_these_are_refused(tmp_path: Path) -> None:
    for name, content, message in (
        ("a.pt", b"x", r"a\.pt: unknown ending '\.pt'; sequences are read from npz, jsonl and parquet files"),
        ("a.npz", b"PK\x03\x04 broken", r"a\.npz: not a readable npz file of numbers"),
        ("a.parquet", b"PAR1", r"a\.parquet: not a readable parquet file"),
        ("a.jsonl", b"\xc3(", r"a\.jsonl:1: not UTF-8"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_sequences([str(tmp_path / name)])
    with pytest.raises(DataError, match=r"none\.npz: no such file"):
        read_sequences([str(tmp_path / "none.npz")])
    with pytest.raises(DataError, match=r"\(a folder\): has nothing; expected inputs and targets"):
        read_sequences([str(tmp_path)])


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=np.array([[{}]], dtype=object), targets=np.array([[1]]))
    with pytest.raises(DataError, match=r"a\.npz: inputs \[1, 1\] of type object; expected"):
        read_sequences([str(tmp_path / "a.npz")])
    folder = tmp_path / "folder"
    folder.mkdir()
    np.save(folder / "inputs.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"inputs\.npy: not a readable npy file of numbers"):
        read_sequences([str(folder)])


def test_a_claimed_size_takes_no_memory(tmp_path: Path) -> None:
    """A header that states 2^50 numbers, with none behind it."""
    header = "{'descr': '<i8', 'fortran_order': False, 'shape': (33554432, 33554432), }"
    text = (header + " " * (63 - (10 + len(header)) % 64) + "\n").encode()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("inputs.npy", "targets.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(DataError, match=r"a\.npz: inputs \[33554432, 33554432\] of type int64; expected up to"):
        read_sequences([str(tmp_path / "a.npz")])

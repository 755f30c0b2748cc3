"""Scores on files: the same as computed one by one; what does not fit the model is refused."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.run.conftest import Bench
from tests.run.tasks import DATA, make_runs, task_spec
from typer.testing import CliRunner

import stacklab
from stacklab.base.errors import DataError
from stacklab.cli.main import app
from stacklab.data.record import Record, Turn
from stacklab.data.spec import DataSpec
from stacklab.data.template import render, text_bytes
from stacklab.exchange.evaluate import holds_sequences
from stacklab.exchange.model_folder import save_model
from stacklab.exchange.portable import Portable
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.run.paths import RunPaths
from stacklab.run.spec import RunSpec
from stacklab.train.checkpoint import save_weights


def untrained(paths: RunPaths, spec: RunSpec) -> Transformer:
    """The run's final weights are those that it begins with."""
    model = build(spec.model, seed=3)
    save_weights(paths.weights, model, run_id=spec.run_id)
    return model.eval()


@pytest.fixture
def task_run(tmp_path: Path) -> tuple[RunPaths, Transformer]:
    spec = task_spec()
    (paths,) = make_runs(tmp_path / "out", [spec])
    return paths, untrained(paths, spec)


def losses_of(model: Transformer, tokens: list[int]) -> torch.Tensor:
    """[T, V] the logarithms of shares at each place of one sequence."""
    with torch.no_grad():
        return model.logits(model(torch.tensor([tokens])))[0].double().log_softmax(-1)


def test_scores_on_sequences_are_those_one_by_one(task_run: tuple[RunPaths, Transformer], tmp_path: Path) -> None:
    paths, model = task_run
    batch = DATA.task.draw(np.random.default_rng(5), 30)
    file = tmp_path / "a.npz"
    np.savez(file, inputs=batch.tokens_BT, targets=batch.targets_BT, slices=batch.slice_BT)
    result = stacklab.evaluate(paths.run_id, file, out=tmp_path / "out")
    rows = [losses_of(model, tokens)[-1] for tokens in batch.tokens_BT.tolist()]
    answers = batch.targets_BT[:, -1].tolist()
    assert (result.form, result.sequences, result.positions, result.scored) == ("sequences", 30, 30, 30)
    wanted = -sum(float(row[answer]) for row, answer in zip(rows, answers, strict=True)) / 30
    assert result.loss == pytest.approx(wanted, rel=1e-6)
    assert result.perplexity == pytest.approx(math.exp(wanted), rel=1e-6)
    right = np.array([int(row.argmax()) == answer for row, answer in zip(rows, answers, strict=True)])
    assert result.accuracy == right.mean()
    for number in (1, 2):
        assert result.slices[f"slice={number}"] == right[batch.slice_BT[:, -1] == number].mean()


def test_what_fills_up_a_short_sequence_changes_nothing(task_run: tuple[RunPaths, Transformer], tmp_path: Path) -> None:
    paths, model = task_run
    rows = [{"inputs": [1, 6, 2], "targets": [-1, -1, 7]}, {"inputs": [3, 8, 1, 7, 3], "targets": [-1, 2, -1, -1, 8]}]
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    result = stacklab.evaluate(paths.folder, file, out=tmp_path / "out")
    places = [(0, 2, 7), (1, 1, 2), (1, 4, 8)]
    wanted = -sum(float(losses_of(model, rows[row]["inputs"])[at, answer]) for row, at, answer in places) / 3
    assert result.loss == pytest.approx(wanted, rel=1e-6)
    assert set(result.slices) == {"length=3", "length=5"}


def test_sequences_that_do_not_fit_the_model_are_refused(
    task_run: tuple[RunPaths, Transformer], tmp_path: Path
) -> None:
    paths, _ = task_run
    file = tmp_path / "a.jsonl"
    for row, message in (
        ({"inputs": [10], "targets": [1]}, r"a\.jsonl:1: inputs\[0\] is 10, expected an id from 0 to 9"),
        ({"inputs": [1] * 9, "targets": [1] * 9}, r"a\.jsonl: sequence 1 has 9 positions, the model's context 8"),
    ):
        file.write_text(json.dumps(row))
        with pytest.raises(DataError, match=message):
            stacklab.evaluate(paths.run_id, file, out=tmp_path / "out")
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(DataError, match=r"a\.txt: unknown ending '\.txt'; sequences are read from npz"):
        stacklab.evaluate(paths.run_id, tmp_path / "a.txt", out=tmp_path / "out")


ROWS = [{"prompt": f"Question {n}?", "response": "An answer that is a little longer. " * n} for n in (1, 2, 3)]


def test_text_is_read_as_the_run_was_trained(bench: Bench, tmp_path: Path) -> None:
    """The records in one stream, with template and markers, in blocks of the run; the rest of the stream as well."""
    spec = bench.spec()
    paths = bench.folder(spec)
    file = tmp_path / "text.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)))
    with pytest.raises(DataError, match="no final weights yet"):
        stacklab.evaluate(paths.run_id, file, out=bench.out.root)
    model = untrained(paths, spec)
    result = stacklab.evaluate(paths.run_id, file, out=bench.out.root)
    records = [Record(turns=(Turn("user", row["prompt"]), Turn("assistant", row["response"]))) for row in ROWS]
    pieces = [render(record, bench.data.template) for record in records]
    stream = [int(token) for ids in bench.prepared.encode_pieces(pieces) for token in ids]
    total = 0.0
    for start in range(0, len(stream) - 1, 32):
        block = stream[start : start + 33]
        shares = losses_of(model, block[:-1])
        total -= sum(float(shares[at, token]) for at, token in enumerate(block[1:]))
    assert (result.form, result.sequences, result.positions) == ("text", 3, len(stream) - 1)
    assert (len(stream) - 1) % 32, "there is a rest"
    assert result.loss == pytest.approx(total / (len(stream) - 1), rel=1e-6)
    size = sum(map(text_bytes, pieces))
    assert result.bits_per_byte == pytest.approx(result.loss / math.log(2) * len(stream) / size)
    assert result.accuracy is None


def test_packed_documents_are_read_one_by_one(bench: Bench, tmp_path: Path) -> None:
    """A run without attention across records is not scored with it."""
    data = bench.data.model_copy(update={"packing": "documents"})
    prepared = bench.prepare(data)
    spec = bench.spec().model_copy(update={"data": data, "data_fingerprint": prepared.fingerprint})
    paths = bench.folder(spec)
    model = untrained(paths, spec)
    total, predicted = 0.0, 0
    for row in ROWS:
        record = Record(turns=(Turn("user", row["prompt"]), Turn("assistant", row["response"])))
        (ids,) = prepared.encode_pieces([render(record, data.template)])
        for start in range(0, len(ids) - 1, 32):
            block = [int(token) for token in ids[start : start + 33]]
            shares = losses_of(model, block[:-1])
            total -= sum(float(shares[at, token]) for at, token in enumerate(block[1:]))
            predicted += len(block) - 1
    file = tmp_path / "text.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)))
    result = stacklab.evaluate(paths.run_id, file, out=bench.out.root)
    assert (result.sequences, result.positions) == (3, predicted)
    assert result.loss == pytest.approx(total / predicted, rel=1e-6)


def test_a_running_text_of_characters_is_read_as_it_stands(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("to be or not to be, that is the question\n" * 40)
    source = {"kind": "file", "path": str(tmp_path / "train.txt")}
    data = DataSpec.model_validate({"source": source, "tokenizer": {"kind": "characters"}, "block_size": 32}).settled
    prepared = bench.prepare(data)
    tree = bench.spec().dump() | {"data": data.dump(), "data_fingerprint": prepared.fingerprint}
    tree["model"]["vocab_size"] = prepared.vocab_size
    tree["evaluate"]["problems"] = 0
    spec = RunSpec.model_validate(tree)
    paths = bench.folder(spec)
    untrained(paths, spec)
    (tmp_path / "own.txt").write_text("not to be\n\nor to be\n")
    result = stacklab.evaluate(paths.run_id, tmp_path / "own.txt", out=bench.out.root)
    assert (result.sequences, result.positions) == (1, 19), "20 characters, no marker among them"
    assert result.bits_per_byte == pytest.approx(result.loss / math.log(2))
    (tmp_path / "odd.txt").write_text("not Z")
    with pytest.raises(DataError, match=r"odd\.txt: text 'not Z.*': the character 'Z' has no id, since"):
        stacklab.evaluate(paths.run_id, tmp_path / "odd.txt", out=bench.out.root)


def test_an_imported_model_reads_each_record_by_itself(tmp_path: Path) -> None:
    """Without a tokenizer, a text lists ids."""
    spec = ModelSpec(vocab_size=9, d_model=4, num_layers=1, num_heads=1, context_length=4, dropout=0.0)
    model = build(spec, seed=0)
    tensors = {name: value.detach() for name, value in model.named_parameters()}
    out = tmp_path / "out"
    save_model(Portable("mine", spec, tensors, None, None, None), out / "models" / "mine")
    file = tmp_path / "a.txt"
    file.write_text("1 2 3 4 5 6 7\n\n8 1")
    result = stacklab.evaluate("mine", file, out=out)
    blocks = [[1, 2, 3, 4, 5], [5, 6, 7], [8, 1]]
    total = 0.0
    for block in blocks:
        shares = losses_of(model.eval(), block[:-1])
        total -= sum(float(shares[at, token]) for at, token in enumerate(block[1:]))
    assert (result.sequences, result.positions) == (2, 7)
    assert result.loss == pytest.approx(total / 7, rel=1e-6)
    (tmp_path / "chat.jsonl").write_text(json.dumps(ROWS[0]))
    with pytest.raises(DataError, match=r"chat\.jsonl: record 1 is a conversation"):
        stacklab.evaluate("mine", tmp_path / "chat.jsonl", out=out)


@pytest.mark.parametrize(
    ("row", "sequences"),
    [
        ({"inputs": [1], "targets": [2]}, True),
        ({"inputs": "1 2", "labels": "2 3"}, True),
        ({"inputs": "Translate this", "targets": "text"}, False),
        ({"inputs": [1]}, False),
        ({"text": "1 2"}, False),
    ],
)
def test_rows_of_ids_and_rows_of_text_are_kept_apart(row: dict[str, Any], sequences: bool, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n" + json.dumps(row))
    assert holds_sequences(file) == sequences


def test_the_command_prints_scores_or_json(task_run: tuple[RunPaths, Transformer], tmp_path: Path) -> None:
    paths, _ = task_run
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"inputs": [1, 6, 1], "targets": [-1, -1, 6]}))
    command = ["evaluate", paths.run_id, str(file), "--out", str(tmp_path / "out")]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0
    assert "1 sequences, 1 targets, 1 scored" in printed.stdout and "accuracy" in printed.stdout
    result = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert (result["form"], result["positions"]) == ("sequences", 1)

"""Texts from a run's model."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.run.conftest import Bench
from tests.run.tasks import make_runs, task_spec

import stacklab
from stacklab.base.errors import DataError, PortError, SpecError
from stacklab.base.files import read_json
from stacklab.exchange.export import export_model
from stacklab.exchange.generate import Generated, against_training, stream_texts, training_of
from stacklab.exchange.import_ import import_model
from stacklab.exchange.model_folder import save_model
from stacklab.exchange.open_model import OpenModel, open_model
from stacklab.exchange.portable import Portable
from stacklab.model.generation.sampling_spec import SamplingSpec
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.run.execute import execute


def texts(model: OpenModel, prompts: list[str], *, tokens: int = 12, seed: int = 0) -> list[Generated]:
    sampling = SamplingSpec(temperature=1.0, seed=seed)
    pieces = list(stream_texts(model, prompts, tokens=tokens, sampling=sampling))
    wholes = {piece.row: piece.whole for piece in pieces if piece.whole is not None}
    for row, whole in wholes.items():
        assert "".join(piece.text for piece in pieces if piece.row == row) == whole.text
    return [wholes[row] for row in range(len(prompts))]


def test_generation_continues_from_a_run(bench: Bench, tmp_path: Path) -> None:
    paths, out = bench.folder(bench.spec()), bench.out.root
    with pytest.raises(DataError, match="no final weights"):
        open_model(paths.run_id, out)
    execute(paths.folder, threads=1)
    model = open_model(paths.run_id[:6], out)
    first, again, other = (texts(model, ["The"], seed=seed)[0] for seed in (0, 0, 1))
    assert first == again != other
    both = texts(model, ["The man", "The"])
    assert both[1] == first and both[0].prompt == "The man"
    with pytest.raises(DataError, match=r"starts with 'zzz', found none; imported models: none$"):
        open_model("zzz", out)
    small = ModelSpec(vocab_size=9, d_model=4, num_layers=1, num_heads=1, context_length=8)
    tensors = {name: value.detach() for name, value in build(small, seed=0).named_parameters()}
    for name in ("mine", "also"):
        save_model(Portable(name, small, tensors, None, None, None), bench.out.models / name)
    with pytest.raises(DataError, match=r"found none; imported models: also, mine$"):
        open_model("zzz", out)
    with pytest.raises(PortError, match=f"--name {paths.run_id}: is the id of a run"):
        import_model(export_model("mine", tmp_path / "hf", out=out).folder, out=out, name=paths.run_id)
    with pytest.raises(DataError, match="prompt '' has no tokens"):
        texts(model, ["The", ""])


def test_a_run_over_a_task_has_no_text_to_go_on_with(tmp_path: Path) -> None:
    (task,) = make_runs(tmp_path, [task_spec(steps=2)])
    task.weights.touch()
    with pytest.raises(DataError, match=r"was trained on the task .*; name a run over text"):
        open_model(task.run_id, tmp_path)


def test_the_samples_of_a_run_can_be_made_again_with_their_novelty(bench: Bench) -> None:
    paths = bench.folder(bench.spec())
    execute(paths.folder, threads=1)
    (sample,) = read_json(paths.samples)["after"]
    (text,) = stacklab.generate(paths.folder, "The", tokens=5, temperature=0.8, seed=bench.spec().seed)
    assert text.text == sample["text"]
    (novelty,) = against_training([text], training_of(str(paths.folder), Path()))
    assert novelty.dump() == sample["novelty"]
    stream = bench.prepared.train.stream
    copy = replace(text, ids=stream[40:60].tolist())
    (copied,) = against_training([copy], training_of(paths.run_id, bench.out.root))
    assert (copied.longest_copy, copied.longest_copy_text) == (20, bench.prepared.decode(copy.ids))


def spelling(text: bytes, monkeypatch: pytest.MonkeyPatch) -> OpenModel:
    """A model whose ids are bytes, made to say `text` after any prompt."""
    said = iter(text)
    monkeypatch.setattr(
        "stacklab.model.generation.decode.Sampler.choose",
        lambda self, logits_BV, step: logits_BV[:, 0].long() * 0 + next(said),
    )
    model = build(ModelSpec(vocab_size=256, d_model=4, num_layers=1, num_heads=1, context_length=64), seed=0)
    return OpenModel(
        name="spelling",
        model=model,
        encode=lambda prompt: list(prompt.encode()),
        decode=lambda ids: bytes(ids).decode(errors="replace"),
        end_id=None,
    )


def test_no_piece_ends_within_a_character(monkeypatch: pytest.MonkeyPatch) -> None:
    story = "Zoë 🦊!"
    model = spelling(story.encode() + "ë".encode()[:1], monkeypatch)
    pieces = list(stream_texts(model, ["né"], tokens=len(story.encode()) + 1, sampling=SamplingSpec()))
    assert [piece.text for piece in pieces] == ["Z", "o", "ë", " ", "🦊", "!", "\ufffd"]
    assert pieces[-1].whole == Generated("né", story + "\ufffd", [*story.encode(), 0xC3], "token count")


def test_bytes_that_are_no_character_are_not_held_back_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    model = spelling(b"a\xffb", monkeypatch)
    pieces = list(stream_texts(model, ["x"], tokens=3, sampling=SamplingSpec()))
    assert [piece.text for piece in pieces] == ["a", "\ufffdb"]


def test_a_decoder_that_drops_the_first_space_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    model = spelling(b" b c", monkeypatch)
    model = replace(model, decode=lambda ids: bytes(ids).decode().removeprefix(" "))
    (whole,) = (p.whole for p in stream_texts(model, [" a"], tokens=4, sampling=SamplingSpec()) if p.whole)
    assert whole.text == " b c"


@pytest.mark.parametrize("tokens", [0, -1, "x", 2.0, True, None])
def test_a_number_of_tokens_that_is_none_is_refused(tokens: object, tmp_path: Path) -> None:
    for ask in (stacklab.generate, stacklab.stream):
        with pytest.raises(SpecError, match=r"tokens = .*: expected a whole number above 0"):
            ask("m", "The", tokens=tokens, out=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(("prompt", "message"), [("\udcff", "not UTF-8 at character 0"), (5, "found a int")])
def test_a_prompt_that_is_no_text_is_refused(prompt: object, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=message):
        texts(spelling(b"a", monkeypatch), [prompt])  # type: ignore[list-item]

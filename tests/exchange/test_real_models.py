"""The two trained models of other programs that are at hand."""

import itertools
from pathlib import Path

from stacklab.exchange.export import export_model
from stacklab.exchange.import_ import import_model
from stacklab.exchange.open_model import open_model
from stacklab.model.generation.decode import generate

STORY = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a "
    "big, red ball. She wanted to play with it, but it was too high.\n"
    "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She said, \"I want to "
    "play with your ball, but I can't find it.\"\n"
)
"""What llama2.c's own test expects of this model at temperature 0."""


def test_the_sorter_sorts_all_inputs_here_and_as_exported(shared_data: Path, tmp_path: Path) -> None:
    done = import_model(shared_data / "nano-gpt-sort" / "gpt-nano-sort-model.json", out=tmp_path, name="sort")
    opened = open_model(done.name, tmp_path)
    inputs = [list(digits) for digits in itertools.product(range(3), repeat=6)]
    # Six inputs and five answers fill the context; from them the sixth answer is read.
    texts = generate(opened.model, inputs, max_tokens=6)
    assert [one.ids for one in texts] == [sorted(given) for given in inputs]
    assert opened.decode(opened.encode("2 0 1")) == " 2 0 1"


def test_stories260k_writes_its_story(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "stories260k"
    import_model(folder / "stories260K.bin", out=tmp_path, tokenizer=folder / "tok512.bin")
    opened = open_model("stories260K", tmp_path)
    (new,) = generate(opened.model, [opened.encode("")], max_tokens=len(opened.encode(STORY)) - 1, end_id=opened.end_id)
    assert opened.decode(new.ids).lstrip() == STORY
    assert new.ids == opened.encode(STORY)[1:]
    # Going on after a text keeps the blank between two words.
    (more,) = generate(opened.model, [opened.encode("Once upon a")], max_tokens=1)
    assert opened.decode(more.ids) == " time"


def test_stories260k_writes_its_story_as_a_llama_folder(shared_data: Path, tmp_path: Path) -> None:
    import pytest

    transformers = pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    folder = shared_data / "stories260k"
    import_model(folder / "stories260K.bin", out=tmp_path, tokenizer=folder / "tok512.bin")
    done = export_model("stories260K", tmp_path / "hf", out=tmp_path)
    assert done.format == "llama"
    tokenizer = transformers.AutoTokenizer.from_pretrained(done.folder)
    peer = transformers.AutoModelForCausalLM.from_pretrained(done.folder)
    ids = tokenizer("Once upon", return_tensors="pt")
    new = peer.generate(**ids, max_new_tokens=20, do_sample=False)
    assert STORY.startswith(tokenizer.decode(new[0], skip_special_tokens=True).strip())

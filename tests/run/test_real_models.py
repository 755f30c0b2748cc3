"""The two trained models of other programs that are at hand."""

import itertools
from pathlib import Path

from stacklab.model.decode import generate
from stacklab.run.import_ import import_model
from stacklab.run.open_model import open_model


def test_the_sorter_sorts_all_inputs(shared_data: Path, tmp_path: Path) -> None:
    done = import_model(shared_data / "nano-gpt-sort" / "gpt-nano-sort-model.json", out=tmp_path, name="sort")
    opened = open_model(done.name, tmp_path)
    inputs = [list(digits) for digits in itertools.product(range(3), repeat=6)]
    answers = generate(opened.model, inputs, max_tokens=5)
    # The context holds 11 ids: the model is asked for the sixth answer with 6 + 5 of them.
    last = [opened.model.spec.context_length == 11] and inputs
    assert len(answers) == 729 and last
    assert all(found == sorted(given)[:5] for given, found in zip(inputs, answers, strict=True))


def test_stories260k_writes_its_story(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "stories260k"
    import_model(folder / "stories260K.bin", out=tmp_path, tokenizer=folder / "tok512.bin")
    opened = open_model("stories260K", tmp_path)
    ids = opened.encode("")
    (new,) = generate(opened.model, [ids or [1]], max_tokens=200, end_id=opened.end_id)
    print(ids, opened.decode(new))

"""The table of `stacklab heads`."""

from io import StringIO

from rich.console import Console

from stacklab.cli.heads import _table
from stacklab.interp.head_scores import summarise
from stacklab.interp.spec import HeadReport, HeadScore, Subject


def subject(seed: int, *values: float) -> Subject:
    scores = (HeadScore(layer=0, head=i, role="matching", value=value) for i, value in enumerate(values))
    return Subject(seed=seed, scores=tuple(scores), absent={})


def test_one_seed_shows_its_scores_and_why_they_have_no_interval() -> None:
    trained, untrained = [subject(1, 0.9, 0.5)], [subject(seed, 0.1, 0.1) for seed in range(3)]
    report = HeadReport(
        task="k-hop",
        split="train",
        sequences=8,
        trained=summarise(trained),
        untrained=summarise(untrained),
        constructed=(),
        absent={},
        seeds=tuple(trained),
    )
    console = Console(file=StringIO(), width=300)
    console.print(_table(report))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0.90, interval undefined (needs 2 values, has 1)" in printed
    assert "0.70, interval undefined (needs 2 values, has 1)" in printed
    assert "0.10, 95% CI [0.10, 0.10]" in printed

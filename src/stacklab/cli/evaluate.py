"""`stacklab evaluate`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.base.text import say
from stacklab.cli.options import DEFAULT_OUT, Out

if TYPE_CHECKING:
    from stacklab.exchange.evaluate import Evaluation


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A finished run (its id, the start of one, its folder), an imported model (its name or folder) or a "
            "folder of transformers.",
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Sequences with inputs and targets (npz, jsonl, parquet, a folder of npy files), or, for a model of "
            "text, a file of texts or records.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Out = DEFAULT_OUT,
) -> None:
    """Score a trained model on sequences or text of your own: loss, and accuracy or bits per byte."""
    from stacklab.api import evaluate as evaluate_model

    result = evaluate_model(model, file, out=out)
    if as_json:
        import json
        from dataclasses import asdict

        say(json.dumps(asdict(result)), whole=True)
    else:
        say("\n".join(_lines(result)), whole=True)


def _lines(result: "Evaluation") -> list[str]:
    loss = f"loss {result.loss:.4f} nats"
    per = "" if result.perplexity is None else f", perplexity {result.perplexity:.4g}"
    if result.form == "text":
        bits = "" if result.bits_per_byte is None else f", {result.bits_per_byte:.4f} bits per byte"
        return [
            f"{result.file}: {result.sequences:,} records, {result.positions:,} predicted tokens",
            loss + per + bits,
        ]
    return [
        f"{result.file}: {result.sequences:,} sequences, {result.positions:,} targets, {result.scored:,} scored",
        f"{loss} per target{per}, accuracy {result.accuracy:.4f}",
        *(f"accuracy {name}: {share:.4f}" for name, share in result.slices.items()),
    ]

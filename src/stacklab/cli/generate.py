"""`stacklab generate`"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.cli.options import DEFAULT_OUT, Out

if TYPE_CHECKING:
    from stacklab.run.generate import Generated, Piece

DEFAULT_PROMPT = "Once upon a time"


def generate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the start of one, or its folder.")],
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", "-p", help=f"A text to continue, any number of times. Default: {DEFAULT_PROMPT}"),
    ] = None,
    prompts_file: Annotated[
        Path | None, typer.Option("--prompts-file", help="A file with a prompt on every line.")
    ] = None,
    tokens: Annotated[int, typer.Option("--tokens", "-n", min=1, help="At most so many new tokens each.")] = 100,
    temperature: Annotated[float, typer.Option("--temperature", "-t", help="0 takes the likeliest.")] = 0.8,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Draw from so many likeliest tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Draw from the likeliest tokens that hold so much probability.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the sampling.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, as each text ends.")] = False,
    out: Out = DEFAULT_OUT,
) -> None:
    """Continue texts with a trained run. They appear as they are made; the last line says why they stopped."""
    from stacklab.api import stream

    prompts = [*(prompt or ()), *(_lines(prompts_file) if prompts_file else ())] or [DEFAULT_PROMPT]
    pieces = stream(run, prompts, tokens=tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, out=out)
    wholes = _as_json(pieces) if as_json else _as_text(pieces, prompts)
    ends = [f"{len(whole.ids)} tokens, {whole.stop}" for _, whole in sorted(wholes.items())]
    numbered = ends if len(ends) == 1 else [f"{number}: {end}" for number, end in enumerate(ends, 1)]
    print("; ".join(numbered), file=sys.stderr)


def _lines(path: Path) -> list[str]:
    """The lines of a file that are not blank. Raises DataError where there are none."""
    from stacklab.base.errors import DataError

    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--prompts-file {path}: cannot be read as UTF-8 text ({error})") from error
    if not lines:
        raise DataError(f"--prompts-file {path}: has no prompt; write one on every line")
    return lines


def _as_text(pieces: "Iterator[Piece]", prompts: list[str]) -> "dict[int, Generated]":
    """Print the texts in order, the first unfinished one as it grows."""
    wholes: dict[int, Generated] = {}
    headings = [
        "" if len(prompts) == 1 else f"== {number} of {len(prompts)}\n" for number in range(1, len(prompts) + 1)
    ]
    held = [heading + prompt for heading, prompt in zip(headings, prompts, strict=True)]
    current = 0
    for piece in pieces:
        held[piece.row] += piece.text
        if piece.whole is not None:
            wholes[piece.row] = piece.whole
            held[piece.row] += "\n"
        while current < len(prompts):
            print(held[current], end="", flush=True)
            held[current] = ""
            if current not in wholes:
                break
            current += 1
    return wholes


def _as_json(pieces: "Iterator[Piece]") -> "dict[int, Generated]":
    """Print each text when it has ended, with its place among the prompts."""
    import json
    from dataclasses import asdict

    wholes = {}
    for piece in pieces:
        if piece.whole is not None:
            wholes[piece.row] = piece.whole
            print(json.dumps({"row": piece.row} | asdict(piece.whole)), flush=True)
    return wholes

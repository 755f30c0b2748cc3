"""`stacklab generate`"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.base.text import say
from stacklab.cli.options import DEFAULT_OUT, Checkpoint, Out

if TYPE_CHECKING:
    from stacklab.data.novelty import Novelty
    from stacklab.exchange.generate import Generated, Piece

DEFAULT_PROMPT = "Once upon a time"
SHOWN_GRAMS = (1, 2, 4, 8)


def generate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A finished run over text (its id, the start of one, its folder), an imported model (its name or "
            "folder) or a folder of transformers.",
        ),
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", "-p", help=f"A text to continue; may be repeated. Default: {DEFAULT_PROMPT}"),
    ] = None,
    prompts_file: Annotated[
        Path | None, typer.Option("--prompts-file", help="A file with a prompt on every line.")
    ] = None,
    tokens: Annotated[int, typer.Option("--tokens", "-n", min=1, help="Maximum number of new tokens per text.")] = 100,
    temperature: Annotated[
        float, typer.Option("--temperature", "-t", help="Sampling temperature; 0 takes the most likely token.")
    ] = 0.8,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Draw from this many most likely tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Draw from the most likely tokens with this much probability.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the sampling.")] = 0,
    novelty: Annotated[
        bool,
        typer.Option(
            "--novelty", help="Also report which parts of a text occur in the run's training data; for runs only."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per text, at the end.")] = False,
    checkpoint: Checkpoint = "last",
    out: Out = DEFAULT_OUT,
) -> None:
    """Continue texts with a model. They are printed as they are made; the last line says why each one stopped."""
    from stacklab.api import stream
    from stacklab.exchange.generate import against_training, training_of
    from stacklab.run.store import best_text, find_run

    prompts = [*(prompt or ()), *(_lines(prompts_file) if prompts_file else ())] or [DEFAULT_PROMPT]
    pieces = stream(
        model,
        prompts,
        tokens=tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        checkpoint=checkpoint,
        out=out,
    )
    training = training_of(model, out) if novelty else None
    by_row = {piece.row: piece.whole for piece in pieces if piece.whole} if as_json else _printed(pieces, prompts)
    texts = [by_row[row] for row in sorted(by_row)]
    novelties = against_training(texts, training) if training else []
    (_print_json if as_json else _print_novelties)(texts, novelties)
    _print_ends(texts, f"best checkpoint: {best_text(find_run(model, out))}; " if checkpoint == "best" else "")


def _print_novelties(texts: "list[Generated]", novelties: "list[Novelty]") -> None:
    for row, one in enumerate(novelties):
        say(f"{_heading(row, len(texts))}{_novelty_text(one)}")


def _print_ends(texts: "list[Generated]", which: str) -> None:
    """Why each text stopped, on standard error."""
    ends = [f"{len(text.ids)} tokens, {text.stop}" for text in texts]
    listed = ends if len(ends) == 1 else [f"{number}: {end}" for number, end in enumerate(ends, 1)]
    say(f"{which}{'; '.join(listed)}", error=True)


def _lines(path: Path) -> list[str]:
    """The lines of a file that are not blank. Raises DataError where there are none."""
    from stacklab.base.errors import DataError
    from stacklab.base.files import read_text

    try:
        lines = [line for line in read_text(path).splitlines() if line.strip()]
    except (OSError, DataError) as error:
        raise DataError(f"--prompts-file {path}: cannot be read as text ({error})") from error
    if not lines:
        raise DataError(f"--prompts-file {path}: has no prompt; write one on every line")
    return lines


def _printed(pieces: "Iterator[Piece]", prompts: list[str]) -> "dict[int, Generated]":
    """Print the texts in order, the first unfinished one as it grows; returns them by their prompt's place."""
    wholes: dict[int, Generated] = {}
    held = [_heading(row, len(prompts)) + prompt for row, prompt in enumerate(prompts)]
    current = 0
    for piece in pieces:
        held[piece.row] += piece.text
        if piece.whole is not None:
            wholes[piece.row] = piece.whole
            held[piece.row] += "\n"
        while current < len(prompts):
            say(held[current], end="", whole=True)
            held[current] = ""
            if current not in wholes:
                break
            current += 1
    return wholes


def _heading(row: int, count: int) -> str:
    return "" if count == 1 else f"== {row + 1} of {count}\n"


def _novelty_text(novelty: "Novelty") -> str:
    shares = ", ".join(
        f"{n}: {share:.0%}" for n, share in enumerate(novelty.shares, 1) if n in SHOWN_GRAMS and share is not None
    )
    return (
        f"longest copy from training: {novelty.longest_copy} of {novelty.tokens} tokens: "
        f"{novelty.longest_copy_text!r}\nn-grams from training: {shares or 'no tokens'}"
    )


def _print_json(texts: "list[Generated]", novelties: "list[Novelty]") -> None:
    import json
    from dataclasses import asdict

    rows = [asdict(text) for text in texts]
    for row, one in zip(rows, novelties, strict=False):
        row["novelty"] = one.dump()
    say("\n".join(json.dumps(row) for row in rows), whole=True)

"""`stacklab generate`"""

from typing import Annotated

import typer

from stacklab.cli.options import DEFAULT_OUT, Out


def generate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the start of one, or its folder.")],
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The text to continue.")] = "Once upon a time",
    tokens: Annotated[int, typer.Option("--tokens", "-n", min=1, help="At most so many new tokens.")] = 100,
    temperature: Annotated[float, typer.Option("--temperature", "-t", min=0.0, help="0 takes the likeliest.")] = 0.8,
    seed: Annotated[int, typer.Option("--seed", help="Of the sampling.")] = 0,
    out: Out = DEFAULT_OUT,
) -> None:
    """Continue a text with a trained run."""
    from stacklab.run.generate import continue_text
    from stacklab.run.open_model import open_model

    print(prompt + continue_text(open_model(run, out), prompt, tokens=tokens, temperature=temperature, seed=seed))

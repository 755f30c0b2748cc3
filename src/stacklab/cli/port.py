"""`stacklab import` and `stacklab export`"""

from pathlib import Path
from typing import Annotated

import typer

from stacklab.base.text import say
from stacklab.cli.options import DEFAULT_OUT, Checkpoint, Out


def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A Hugging Face folder (GPT-2, Llama, Qwen2, Mistral, others), a nanoGPT checkpoint, a minGPT JSON or "
            "folder, or a llama2.c model.bin.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the imported model. Default: the source's.")
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option("--tokenizer", help="A tokenizer.json or a llama2.c tokenizer.bin, in place of the source's own."),
    ] = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Import a model of another program, to generate with it, inspect it or export it."""
    from stacklab.exchange.import_ import import_model
    from stacklab.exchange.portable import check_vocabulary
    from stacklab.model.count import count_parameters

    done = import_model(source, out=out, name=name, tokenizer=tokenizer)
    spec = done.model.spec
    say(
        f"imported: {done.name} ({done.model.origin['form']} form, {count_parameters(spec).total:,} parameters, "
        f"{spec.num_layers} layers, vocabulary {spec.vocab_size})"
    )
    for note in done.model.notes:
        say(f"note: {note}")
    if done.model.tokenizer is None:
        say("it has no tokenizer: prompts are ids with blanks between them; --tokenizer adds one")
    elif padded := check_vocabulary(done.model.tokenizer, spec):
        say(f"padded: {padded:,} of the vocabulary's {spec.vocab_size:,} rows belong to no token")
    say(f"written: {done.folder}")


def export(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A run (its id, the start of one, its folder) or an imported model."),
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new folder to write.")],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="gpt2, llama, qwen2, mistral and others (docs/neighbours/transformers.md), stacklab (our own class, "
            "whose code is included) or onnx. Default: the first class of transformers that is exact, else our own.",
        ),
    ] = None,
    checkpoint: Checkpoint = "last",
    out: Out = DEFAULT_OUT,
) -> None:
    """Write a model as a folder that other programs open, and compare its logits there."""
    from stacklab.exchange.export import export_model

    done = export_model(model, folder, out=out, format=format, checkpoint=checkpoint)
    if done.difference is None:
        needed = "onnxruntime (the extra onnx)" if done.format == "onnx" else "transformers (the extra hf)"
        say(f"not checked: {needed} is not installed")
    else:
        say(f"checked: opened again, its logits differ from the model's by at most {done.difference:.2g}")
    if not done.has_tokenizer:
        say("it has no tokenizer: the model takes ids only")
    say(f"written: {done.folder} ({done.format})")

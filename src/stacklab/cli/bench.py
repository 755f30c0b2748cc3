"""`stacklab bench`"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stacklab.base.text import say
from stacklab.cli.options import parse_whole_numbers
from stacklab.cli.request import DEVICE_NAMES, with_request

if TYPE_CHECKING:
    from stacklab.study.spec.request import StudyRequest

JsonFile = Annotated[Path | None, typer.Option("--out", "-o", help="Also write the figures to this JSON file.")]
DeviceName = Annotated[
    DEVICE_NAMES, typer.Option("--device", "-d", help="As train.device=: auto is a GPU where there is one.")
]


def step(
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Number of interleaved pairs of steps.")] = 8,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Default: all cores.")] = None,
    device: DeviceName = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="As train.precision: auto, fp32, bf16 or fp16.")
    ] = "auto",
    compile: Annotated[
        str,
        typer.Option(
            "--compile", help="off: eager contestants; blocks: compiled ones; auto: on a GPU that compiles, both."
        ),
    ] = "auto",
    layers: Annotated[str, typer.Option("--layers", help="Numbers of layers.")] = "1,12",
    d_model: Annotated[str, typer.Option("--d-model", help="Widths, multiples of 8.")] = "384",
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Sequences of a batch. Default: 4, on a GPU 16.")
    ] = None,
    context: Annotated[int, typer.Option("--context", min=2, help="Tokens of a sequence.")] = 512,
    out: JsonFile = None,
) -> None:
    """Compare whole training steps with those of Hugging Face's GPT-2 of equal size, interleaved in one run.

    Vocabulary 151,665, dropout 0.1: ratio of tokens per second, ratio of peak memory, and the share of the
    matrix-product rate measured in the same run; on a GPU also MFU, and what head and loss reach alone. Run it on an
    idle machine.
    """
    sizes = {"layers": parse_whole_numbers("--layers", layers), "d_model": parse_whole_numbers("--d-model", d_model)}
    settings = {"device": device, "precision": precision, "compile": compile}
    _run("step", out, pairs=pairs, threads=threads, batch=batch, context=context, **settings, **sizes)


@with_request("seeds", "workers")
def plan(study: str, request: "StudyRequest", out: JsonFile = None) -> None:
    """Plan a study, run it in a new folder, and compare the projected time and memory with the measured ones."""
    import tempfile

    from stacklab.api import requested_study

    with tempfile.TemporaryDirectory(prefix="stacklab-bench-") as folder:
        inside = request.model_copy(update={"out": Path(folder)})
        _run("plan", out, Path(study), plan=requested_study(study, inside).plan(), request=inside)


def replicas(
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Number of interleaved pairs.")] = 8,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=2, help="Runs in stacks, half of them in each process. Default: 8, on a GPU 32."),
    ] = None,
    heads: Annotated[str, typer.Option("--heads", help="Numbers of heads.")] = "1,4",
    device: DeviceName = "auto",
    out: JsonFile = None,
) -> None:
    """Compare small runs in stacks (--engine replicas) with one process per run, interleaved in one run.

    Question answering, 2 attention-only layers, d_model 64, 256 x 17 tokens, 1 and 4 heads, 2 processes of one thread,
    on a GPU 1: ratio of steps x seeds per second, and the share of time spent drawing batches.
    """
    _run("replicas", out, pairs=pairs, seeds=seeds, heads=parse_whole_numbers("--heads", heads), device=device)


def generation(
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Number of interleaved pairs of texts.")] = 3,
    tokens: Annotated[int, typer.Option("--tokens", "-n", min=1, max=2000, help="New tokens of each text.")] = 500,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Default: all cores.")] = None,
    out: JsonFile = None,
) -> None:
    """Compare generation with and without cached keys and values, interleaved in one run.

    An untrained GPT-Neo of 68.5 million parameters: ratio of tokens per second. Takes some minutes.
    """
    _run("generate", out, pairs=pairs, tokens=tokens, threads=threads)


def _run(name: str, out: Path | None, /, *read: Path, **settings: Any) -> None:
    """Run the benchmark of stacklab.bench with these settings, print and write what it measured. read: its files."""
    from stacklab.base.files import write_json
    from stacklab.base.folders import check_output

    if out is not None:
        check_output(out, read)

    bench = importlib.import_module(f"stacklab.bench.{name}")
    result = bench.run_bench(**settings)
    say(bench.render(result), whole=True)
    if out is not None:
        write_json(out, result)

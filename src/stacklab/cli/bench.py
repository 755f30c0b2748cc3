"""`stacklab bench`"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stacklab.cli.request import with_request

if TYPE_CHECKING:
    from stacklab.study.spec.request import StudyRequest

JsonFile = Annotated[Path | None, typer.Option("--out", "-o", help="Also write the figures to this JSON file.")]


def step(
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Number of interleaved pairs of steps.")] = 8,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Default: all cores.")] = None,
    out: JsonFile = None,
) -> None:
    """Compare whole training steps with those of Hugging Face's GPT-2 of equal size, interleaved in one run.

    Vocabulary 151,665, d_model 384, 4 x 512 tokens, 1 and 12 layers: ratio of tokens per second, ratio of peak memory,
    and the share of the matrix-product rate measured in the same run. Run it on an idle machine.
    """
    _run("step", out, pairs=pairs, threads=threads)


@with_request("seeds", "workers")
def plan(study: str, request: "StudyRequest", out: JsonFile = None) -> None:
    """Plan a study, run it in a new folder, and compare the projected time and memory with the measured ones."""
    import tempfile

    from stacklab.api import requested_study

    with tempfile.TemporaryDirectory(prefix="stacklab-bench-") as folder:
        inside = request.model_copy(update={"out": Path(folder)})
        _run("plan", out, plan=requested_study(study, inside).plan(), request=inside)


def replicas(
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Number of interleaved pairs.")] = 8,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=2, help="Runs in stacks, over all processes. Default: 8, on a GPU 64.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, or auto: a GPU where there is one.")] = "cpu",
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="At the same time. Default: 2, on a GPU 1.")
    ] = None,
    out: JsonFile = None,
) -> None:
    """Compare small runs in stacks (--engine replicas) with one process per run, interleaved in one run.

    Question answering, 2 attention-only layers, d_model 64, 256 x 17 tokens, 1 and 4 heads, processes of one thread:
    ratio of steps x seeds per second, and the share of time spent drawing batches.
    """
    _run("replicas", out, pairs=pairs, seeds=seeds, device=device, processes=processes)


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


def _run(name: str, out: Path | None, **settings: Any) -> None:
    """Run the benchmark of stacklab.bench with these settings, and print and write what it measured."""
    from stacklab.base.files import write_json

    bench = importlib.import_module(f"stacklab.bench.{name}")
    result = bench.run_bench(**settings)
    print(bench.render(result))
    if out is not None:
        write_json(out, result)

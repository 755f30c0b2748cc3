"""What each part of `scripts/gpu-check` runs, in order of importance: the end is left out when time is short."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from stacklab.base.errors import DataError, SpecError
from stacklab.base.files import read_text

ROOT = Path(__file__).parents[3]
CONFIGURATIONS = ("384x12", "384x1", "768x12", "64x12", "768x1", "64x1")
"""d_model x layers of `bench step`; the first is the source's."""
PROCESSES = 4
"""Tests at the same time on one card, where pytest-xdist is installed."""
TEXT = "tetralemma/tetralemma-reasoning-train.csv"
TOKENIZER = "tokenizer-qwen2.5"
REPORT_SECONDS = 25.0


class Item(NamedTuple):
    """A command to run: the arguments of this Python.

    figures: the JSON file, or the XML file of pytest, that the command writes. kind: one item is not started unless as
    much time is left as the longest before it of its kind took. leaves: seconds to leave for the items after it.
    resumes: when its time is over it is asked to stop, and the same command resumes.
    """

    name: str
    arguments: tuple[str, ...]
    figures: Path | None = None
    kind: str = ""
    leaves: float = 0.0
    resumes: bool = False


def test_items(scratch: Path, root: Path = ROOT) -> list[Item]:
    """Raises DataError where there are no tests: they are part of the source, not of the installed package."""
    tests = root / "tests"
    files = sorted(path for path in tests.rglob("test_*.py") if "mark.gpu" in read_text(path))
    if not files:
        raise DataError(f"{tests}: holds no tests for a GPU; run scripts/gpu-check in the source folder")
    return [
        Item("doctor", ("-m", "stacklab", "doctor")),
        _pytest("tests on the GPU", "gpu", [str(path.relative_to(root)) for path in files], scratch / "gpu.xml"),
        _pytest("tests of operations and training on the CPU", "not gpu", ["tests/model/ops", "tests/train"],
                scratch / "cpu.xml"),
    ]  # fmt: skip


def _pytest(name: str, marker: str, paths: list[str], figures: Path) -> Item:
    """The project's options need plugins that a machine may lack, so they are replaced."""
    parallel = ("-n", str(PROCESSES)) if find_spec("xdist") else ()
    options = ("-o", "addopts=", "--import-mode=importlib", "-q", "--tb=short", "-rfEs", "-p", "no:cacheprovider")
    return Item(name, ("-m", "pytest", *options, *parallel, "-m", marker, f"--junitxml={figures}", *paths), figures)


def bench_items(scratch: Path, *, configurations: tuple[str, ...] = CONFIGURATIONS, pairs: int) -> list[Item]:
    """Raises SpecError for a configuration that is not of the form 384x12."""
    steps = [_step(text, scratch, pairs) for text in configurations]
    figures = scratch / "replicas.json"
    replicas = ("-m", "stacklab", "bench", "replicas", "--pairs", str(pairs), "--heads", "1", "--out", str(figures))
    return [*steps[:2], Item("replicas", replicas, figures), *steps[2:]]


def _step(text: str, scratch: Path, pairs: int) -> Item:
    width, _, depth = text.partition("x")
    if not (width.isdecimal() and depth.isdecimal()):
        raise SpecError(f"--configurations: {text!r} is not d_model x layers, such as 384x12")
    figures = scratch / f"step-{text}.json"
    sizes = ("--d-model", width, "--layers", depth, "--pairs", str(pairs), "--out", str(figures))
    return Item(f"step, d_model {width}, {depth} layers", ("-m", "stacklab", "bench", "step", *sizes), figures, "step")


def study_items(*, text: Path | None, tokenizer: Path | None, seeds: int, out: Path) -> list[Item]:
    """`depth --scale paper` on a file of text. None: the file of the tests' folder of real texts.

    Raises DataError for a file that does not exist.
    """
    shared = Path(os.environ.get("STACKLAB_SHARED_DATA", ROOT.parent / "shared" / "data"))
    text, tokenizer = text or shared / TEXT, tokenizer or shared / TOKENIZER
    for path, option in ((text, "--text"), (tokenizer, "--tokenizer")):
        if not path.exists():
            raise DataError(f"{path} does not exist; name another with {option} or STACKLAB_{option[2:].upper()}")
    study = (
        "depth",
        f"data.source={{kind: file, path: {text.absolute()}}}",
        f"data.tokenizer={{kind: file, path: {tokenizer.absolute()}}}",
        "evaluate.problems=0",
        *("--scale", "paper", "--seeds", ",".join(str(seed) for seed in range(1, seeds + 1)), "--out", str(out)),
    )
    return [
        Item("study", ("-m", "stacklab", "run", *study), leaves=REPORT_SECONDS, resumes=True),
        Item("report", ("-m", "stacklab", "report", *study)),
    ]

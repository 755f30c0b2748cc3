"""The Python interface: the functions behind the command line, with values as results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stacklab.base.env import apply_defaults
from stacklab.base.errors import MissingExtraError
from stacklab.run.store import Checkpoint
from stacklab.run.timing.cost import DeviceFacts
from stacklab.study.execution.live import live
from stacklab.study.execution.run import (
    Todo,
    check_seeds_kept,
    declared_looks,
    more_seeds,
    run_plan,
    saved_plan,
    with_attention,
)
from stacklab.study.planning.device import device_facts
from stacklab.study.planning.plan import Plan, make_plan
from stacklab.study.planning.stages import count_runs
from stacklab.study.results.results import StudyResult, open_results
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest, make_request, requested_engine
from stacklab.study.spec.study import StudySpec

if TYPE_CHECKING:
    from stacklab.exchange.evaluate import Evaluation
    from stacklab.exchange.export import Exported
    from stacklab.exchange.generate import Generated, Piece
    from stacklab.exchange.import_ import Imported

__all__ = [
    "Study",
    "evaluate",
    "export_model",
    "generate",
    "import_model",
    "load_study",
    "open_results",
    "register_with_transformers",
    "stream",
]


@dataclass(frozen=True)
class Study:
    """A study at one scale, with its overrides, and the request to run it."""

    spec: StudySpec
    request: StudyRequest

    def plan(self, *, more: int | None = None) -> Plan:
        """Prepare the data, resolve and check every arm. `more`: go on to the next look, with this many more seeds.

        A study that went on to a later look stays there. Raises UserError for a study that cannot be run.
        """
        saved = saved_plan(self.spec.name, self.request)
        looks = declared_looks(saved, self.request.looks)
        seeds, look = (None, 1) if saved is None or saved.look == 1 else (saved.seeds, saved.look)
        plan = make_plan(self.spec, self.request, seeds=seeds, looks=looks, look=look)
        if more is not None:
            seeds = more_seeds(plan, more, self.request.out)
            plan = make_plan(self.spec, self.request, seeds=seeds, looks=looks, look=plan.look + 1)
        return plan

    def run(
        self,
        *,
        engine: str | None = None,
        workers: int | None = None,
        runs_per_gpu: int | None = None,
        gpus_per_run: int | None = None,
        more_seeds: int | None = None,
    ) -> StudyResult:
        """Train the runs that are missing, with live progress; `result.table` is a data frame with a row per run.

        engine, workers, runs_per_gpu, gpus_per_run: replace the request's.
        """
        changes = {
            "engine": engine,
            "workers": workers,
            "runs_per_gpu": runs_per_gpu,
            "gpus_per_run": gpus_per_run,
        }
        fields = self.request.model_dump() | {name: value for name, value in changes.items() if value is not None}
        study = Study(self.spec, make_request(fields))
        plan = study.plan(more=more_seeds)
        return run_study(plan, study.request, device_facts(plan, study.request.out))


def load_study(name: str, *, overrides: Sequence[str] | Mapping[str, Any] = (), **request: Any) -> Study:
    """A built-in study by name, or a study file by path. `request`: fields of StudyRequest, such as scale, seeds, out.

    Raises SpecError naming file and line, or the field of the request.

    >>> load_study("depth", overrides={"model.d_model": 32}).spec.base.model.d_model
    32
    """
    if isinstance(overrides, Mapping):
        import json

        overrides = [f"{path}={json.dumps(value)}" for path, value in overrides.items()]
    if (seeds := request.get("seeds")) is not None:
        request["seeds"] = tuple(seeds)
    if "out" in request:
        request["out"] = Path(request["out"])
    return requested_study(name, make_request(request | {"overrides": tuple(overrides)}))


def requested_study(name: str, request: StudyRequest) -> Study:
    """As `load_study`, for an existing request."""
    return Study(read_study(name, scale=request.scale, overrides=request.overrides), request)


def run_study(plan: Plan, request: StudyRequest, facts: Mapping[str, DeviceFacts]) -> StudyResult:
    """Run a plan, with live progress on standard error. facts: those of `device_facts`.

    Raises SpecError for other seeds than those of which results exist.
    """
    apply_defaults()
    check_seeds_kept(plan, request)
    engine, runs = requested_engine(request, plan.study.base.train), count_runs(plan)
    plan = with_attention(plan, request.out, threads=engine.threads(runs))

    def start(todo: Todo) -> None:
        labels = {folder.name: label for folder, label in todo.items()}
        with live(labels, total=len(todo)) as watch:
            engine.run(list(todo), watch=watch, runs=runs)

    return run_plan(plan, request.out, facts, start=start)


def import_model(
    source: str | Path,
    *,
    name: str | None = None,
    tokenizer: str | Path | None = None,
    out: str | Path = "stacklab-out",
) -> "Imported":
    """Import a model of another program (docs/neighbours). Raises PortError for what cannot be expressed exactly.

    >>> import_model("my-gpt2").name  # doctest: +SKIP
    'my-gpt2'
    """
    from stacklab.exchange import import_

    file = None if tokenizer is None else Path(tokenizer)
    return import_.import_model(source, out=Path(out), name=name, tokenizer=file)


def export_model(
    name: str,
    folder: str | Path,
    *,
    format: str | None = None,
    checkpoint: Checkpoint = "last",
    out: str | Path = "stacklab-out",
) -> "Exported":
    """Write a run or an imported model as a folder that other programs open.

    format: a name of the table in docs/neighbours/transformers.md, or onnx; None takes the first class of transformers
    that is exact. checkpoint: which weights of a run, the last or the best ones. Raises PortError naming what does not
    fit.

    >>> export_model("3f2a", "my-model").difference  # doctest: +SKIP
    1.2e-06
    """
    from stacklab.exchange import export

    return export.export_model(name, folder, out=Path(out), format=format, checkpoint=checkpoint)


def evaluate(model: str | Path, file: str | Path, *, out: str | Path = "stacklab-out") -> "Evaluation":
    """The scores of a model on a file: loss, and accuracy on sequences with targets or bits per byte on text.

    `model` is as in `generate`, but may also be a run over a task. Raises DataError for a file that cannot be used.
    """
    apply_defaults()
    from stacklab.exchange.evaluate import evaluate_file

    return evaluate_file(str(model), Path(file), out=Path(out))


def register_with_transformers() -> None:
    """Let transformers open exported folders of the `stacklab` format without `trust_remote_code`, in this process.

    Idempotent. Raises MissingExtraError where transformers is not installed.

    >>> register_with_transformers()  # doctest: +SKIP
    >>> AutoModelForCausalLM.from_pretrained("my-model")  # doctest: +SKIP
    """
    if find_spec("transformers") is None:
        raise MissingExtraError("transformers is not installed; pip install 'stacklab[hf]'")
    from stacklab.model.port.own import register

    register()


def generate(
    model: str | Path,
    prompts: str | Sequence[str],
    *,
    tokens: int = 100,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    checkpoint: Checkpoint = "last",
    out: str | Path = "stacklab-out",
) -> "list[Generated]":
    """Continue each prompt with a model: a finished run by its id, the start of its id or its folder, an imported
    model, or a folder of transformers. checkpoint: which weights of a run, the last or the best ones.

    A result has `text`, `ids` and `stop`, the reason why it ends. Raises UserError for unusable input.
    """
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
    wholes = {piece.row: piece.whole for piece in pieces if piece.whole is not None}
    return [wholes[row] for row in sorted(wholes)]


def stream(
    model: str | Path,
    prompts: str | Sequence[str],
    *,
    tokens: int = 100,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    checkpoint: Checkpoint = "last",
    out: str | Path = "stacklab-out",
) -> "Iterator[Piece]":
    """As `generate`, but yields pieces as they are made. row: index of the prompt; whole: set in its last piece."""
    apply_defaults()
    from stacklab.exchange.generate import check_tokens, sampling_of, stream_texts
    from stacklab.exchange.open_model import open_model

    check_tokens(tokens)
    sampling = sampling_of(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    opened = open_model(str(model), Path(out), checkpoint=checkpoint)
    return stream_texts(opened, texts, tokens=tokens, sampling=sampling)

"""The Python interface: what the command line does, as values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stacklab.base.env import apply_defaults
from stacklab.base.errors import MissingExtraError
from stacklab.study.engines.machine import threads_each
from stacklab.study.engines.registry import EngineName, make_engine, worker_count
from stacklab.study.execution.live import live
from stacklab.study.execution.looks import declared_looks, more_seeds, saved_plan
from stacklab.study.execution.run import Todo, run_plan
from stacklab.study.planning.attention_cost import with_attention
from stacklab.study.planning.plan import Plan, make_plan
from stacklab.study.planning.tuning import count_runs, with_tuned
from stacklab.study.results.results import StudyResult, open_results
from stacklab.study.spec.load import read_study, variant_of
from stacklab.study.spec.rates import RetrySpec, TuningSpec
from stacklab.study.spec.study import StudySpec

if TYPE_CHECKING:
    from stacklab.exchange.export import Exported
    from stacklab.exchange.generate import Generated, Piece
    from stacklab.exchange.import_ import Imported

__all__ = [
    "Study",
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
    """A study at one scale. `variant` names the folder when settings or seeds were given beside the study.

    looks: how often results may be looked at, with more seeds each time; declared before the first run.
    """

    spec: StudySpec
    scale: str
    out: Path
    seeds: tuple[int, ...] | None
    variant: str
    looks: int | None = None
    tuning: TuningSpec | None = None
    retry: RetrySpec | None = None
    """Either in place of what the scale has."""

    def plan(self, *, more: int | None = None, workers: int | None = None) -> Plan:
        """Prepare the data, resolve and check every arm. `more`: go on to the next look, with so many more seeds.
        workers: how many runs will train at once, for an arm whose step is to take as long as another's.

        A study that went on to a later look stays there. Raises UserError for what cannot be run.
        """
        saved = saved_plan(self.out, self.spec.name, self.scale, self.variant)
        looks = declared_looks(saved, self.looks)
        if saved is None or saved.look == 1:
            plan = self._planned(self.seeds, looks=looks, look=1, workers=workers)
        else:
            plan = self._planned(saved.seeds, looks=looks, look=saved.look, workers=workers)
        if more is None:
            return plan
        return self._planned(more_seeds(plan, more, self.out), looks=looks, look=plan.look + 1, workers=workers)

    def _planned(self, seeds: tuple[int, ...] | None, *, looks: int, look: int, workers: int | None) -> Plan:
        plan = make_plan(
            self.spec,
            scale=self.scale,
            out=self.out,
            seeds=seeds,
            variant=self.variant,
            looks=looks,
            look=look,
            tuning=self.tuning,
            retry=self.retry,
            workers=workers,
        )
        return with_tuned(plan, self.out)

    def run(
        self, *, engine: EngineName = "processes", workers: int | None = None, more_seeds: int | None = None
    ) -> StudyResult:
        """Train what is not trained yet, with live progress; `result.table` is a data frame with a row per run."""
        plan = self.plan(more=more_seeds, workers=workers if engine == "processes" else 1)
        return run_study(plan, self.out, engine=engine, workers=workers)


def load_study(
    name: str,
    *,
    scale: str = "smoke",
    overrides: Sequence[str] | Mapping[str, Any] = (),
    seeds: Sequence[int] | None = None,
    out: str | Path = "stacklab-out",
    looks: int | None = None,
    tuning: TuningSpec | None = None,
    retry: RetrySpec | None = None,
) -> Study:
    """A built-in study by name, or a study file by path. Raises SpecError naming file and line.

    >>> load_study("depth", overrides={"model.d_model": 32}).spec.base.model.d_model
    32
    """
    if isinstance(overrides, Mapping):
        import json

        overrides = [f"{path}={json.dumps(value)}" for path, value in overrides.items()]
    chosen = None if seeds is None else tuple(seeds)
    spec = read_study(name, scale=scale, overrides=overrides)
    variant = variant_of(overrides, chosen, tuning, retry)
    return Study(spec, scale, Path(out), chosen, variant, looks, tuning, retry)


def import_model(
    source: str | Path,
    *,
    name: str | None = None,
    tokenizer: str | Path | None = None,
    out: str | Path = "stacklab-out",
) -> "Imported":
    """Bring in a model of another program (docs/neighbours). Raises PortError for what cannot be expressed exactly.

    >>> import_model("my-gpt2").name  # doctest: +SKIP
    'my-gpt2'
    """
    from stacklab.exchange import import_

    file = None if tokenizer is None else Path(tokenizer)
    return import_.import_model(source, out=Path(out), name=name, tokenizer=file)


def export_model(
    name: str, folder: str | Path, *, format: str | None = None, out: str | Path = "stacklab-out"
) -> "Exported":
    """Write a run or an imported model as a folder that other programs open. format: gpt2, gpt-neo, llama, stacklab or
    onnx; None takes the first class of transformers that is exact. Raises PortError naming what a format cannot say.

    >>> export_model("3f2a", "my-model").difference  # doctest: +SKIP
    1.2e-06
    """
    from stacklab.exchange import export

    return export.export_model(name, folder, out=Path(out), format=format)


def register_with_transformers() -> None:
    """Let transformers open exported folders of the `stacklab` format without `trust_remote_code`, in this process.

    Repeating it changes nothing. Raises MissingExtraError where transformers is not installed.

    >>> register_with_transformers()  # doctest: +SKIP
    >>> AutoModelForCausalLM.from_pretrained("my-model")  # doctest: +SKIP
    """
    if find_spec("transformers") is None:
        raise MissingExtraError("transformers is not installed; pip install 'stacklab[hf]'")
    from stacklab.model.port.register import register

    register()


def run_study(plan: Plan, out: Path, *, engine: EngineName, workers: int | None) -> StudyResult:
    """Carry out a plan with live progress on standard error."""
    apply_defaults()
    # Of all runs, not of those left: a resumed run must get the threads that it started with.
    slots = worker_count(workers, runs=count_runs(plan)) if engine != "inline" else workers
    chosen = make_engine(engine, workers=slots)
    plan = with_attention(plan, out, threads=threads_each(slots or 1))

    def start(todo: Todo) -> None:
        labels = {folder.name: label for folder, label in todo.items()}
        with live(labels, total=len(todo)) as watch:
            chosen.run(list(todo), watch=watch)

    return run_plan(plan, out, start=start)


def generate(
    model: str | Path,
    prompts: str | Sequence[str],
    *,
    tokens: int = 100,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    out: str | Path = "stacklab-out",
) -> "list[Generated]":
    """Continue each prompt with a model: a finished run by its id, the start of its id or its folder, an imported
    model, or a folder of transformers.

    A result has `text`, `ids` and `stop`: why it ends there. Raises UserError for what cannot be used.
    """
    pieces = stream(
        model, prompts, tokens=tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, out=out
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
    out: str | Path = "stacklab-out",
) -> "Iterator[Piece]":
    """As `generate`, but every bit of text as soon as it is there: `row` says of which prompt, `whole` comes last."""
    apply_defaults()
    from stacklab.exchange.generate import check_tokens, sampling_of, stream_texts
    from stacklab.exchange.open_model import open_model

    check_tokens(tokens)
    sampling = sampling_of(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    given = [prompts] if isinstance(prompts, str) else list(prompts)
    return stream_texts(open_model(str(model), Path(out)), given, tokens=tokens, sampling=sampling)

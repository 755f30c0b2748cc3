"""The user's choices besides the study itself: scale, settings, seeds, looks, rates, engine, folder. No torch here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import PositiveInt, ValidationError, field_validator

from stacklab.base.canon import fingerprint
from stacklab.base.errors import SpecError
from stacklab.base.spec import Items, Spec
from stacklab.study.engines.machine import uses_card
from stacklab.study.engines.protocol import Engine
from stacklab.study.engines.registry import DEFAULT_ENGINE, check_engine, make_engine
from stacklab.study.spec.checks import check_seeds
from stacklab.study.spec.rates import BOTH_RATES, RetrySpec, TuningSpec
from stacklab.train.spec import TrainSpec

OPTIONS = {
    "tuning.learning_rates": "learning-rates",
    "tuning.weight_decays": "weight-decays",
    "tuning.seeds": "tuning-seeds",
    "retry": "retry-rates",
    "retry.learning_rates": "retry-rates",
}
"""Field -> option of the command line, where their names differ."""


class StudyRequest(Spec):
    """How to run a study.

    overrides: settings of the base, as `path=value`. seeds: replace the scale's. looks: number of looks at the results,
    each with more seeds, declared before the first run. tuning, retry: replace the scale's. workers: the most runs that
    train at the same time; None lets the engine choose. runs_per_gpu: the most on each card. gpus_per_run: the cards of
    each run. out: the folder of runs, caches, reports.
    """

    scale: str = "smoke"
    overrides: Items[str] = ()
    seeds: Items[int] | None = None
    looks: PositiveInt | None = None
    tuning: TuningSpec | None = None
    retry: RetrySpec | None = None
    engine: str = DEFAULT_ENGINE
    workers: PositiveInt | None = None
    runs_per_gpu: PositiveInt = 1
    gpus_per_run: PositiveInt = 1
    out: Path = Path("stacklab-out")

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return seeds if seeds is None else check_seeds(seeds)

    @field_validator("engine")
    @classmethod
    def _exists(cls, engine: str) -> str:
        return check_engine(engine)

    @field_validator("retry")
    @classmethod
    def _one_kind_of_rates(cls, retry: RetrySpec | None, info: Any) -> RetrySpec | None:
        if retry and info.data.get("tuning"):
            raise ValueError(BOTH_RATES)
        return retry

    @property
    def variant(self) -> str:
        """A short hash of overrides, seeds and rates, which distinguishes the study folders of one scale; empty without
        any of them."""
        rates = [grid.dump() for grid in (self.tuning, self.retry) if grid is not None]
        if not self.overrides and self.seeds is None and not rates:
            return ""
        return fingerprint([sorted(self.overrides), self.seeds, *rates])[:8]


def make_request(fields: Mapping[str, Any]) -> StudyRequest:
    """The request with these fields. Raises SpecError naming the option that is wrong."""
    try:
        return StudyRequest.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(key) for key in first["loc"] if isinstance(key, str))
        name = OPTIONS.get(path, path.replace("_", "-"))
        raise SpecError(f"--{name}: {first['msg'].removeprefix('Value error, ')}") from None


def requested_engine(request: StudyRequest, train: TrainSpec) -> Engine:
    """The engine of the request, for runs with these settings of training. Raises SpecError as make_engine does."""
    return make_engine(
        request.engine,
        workers=request.workers,
        runs_per_gpu=request.runs_per_gpu,
        gpus_per_run=request.gpus_per_run,
        on_cards=uses_card(train.device),
    )

"""The Python interface: what the command line does, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacklab.base.env import apply_defaults
from stacklab.study.engines.choose import EngineName, make_engine, worker_count
from stacklab.study.live import live
from stacklab.study.load import read_study, variant_of
from stacklab.study.looks import declared_looks, more_seeds, saved_plan
from stacklab.study.plan import Plan, make_plan
from stacklab.study.results import StudyResult, open_results
from stacklab.study.run import run_plan
from stacklab.study.spec import StudySpec

__all__ = ["Study", "load_study", "open_results"]


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
        return make_plan(
            self.spec,
            scale=self.scale,
            out=self.out,
            seeds=seeds,
            variant=self.variant,
            looks=looks,
            look=look,
            workers=workers,
        )

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
    return Study(spec, scale, Path(out), chosen, variant_of(overrides, chosen), looks)


def run_study(plan: Plan, out: Path, *, engine: EngineName, workers: int | None) -> StudyResult:
    """Carry out a plan with live progress on standard error."""
    apply_defaults()
    # Of all runs, not of those left: a resumed run must get the threads that it started with.
    slots = worker_count(workers, runs=len(plan.runs())) if engine == "processes" else workers
    chosen = make_engine(engine, workers=slots)
    labels = {spec.run_id: (arm.label, seed) for arm, seed, spec in plan.runs()}

    def start(folders: list[Path]) -> None:
        with live(labels, total=len(folders)) as watch:
            chosen.run(folders, watch=watch)

    return run_plan(plan, out, start=start)

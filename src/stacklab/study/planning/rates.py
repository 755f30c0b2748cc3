"""Further learning rates of a plan besides that of each configuration, and configurations at them."""

from stacklab.base.errors import SpecError
from stacklab.data.spec import DataSpec
from stacklab.study.spec.checks import MOST_RUNS
from stacklab.study.spec.rates import NO_CELLS, RetrySpec, TuningSpec
from stacklab.study.spec.request import StudyRequest
from stacklab.study.spec.study import BaseSpec, ScaleSpec, StudySpec


def with_optimizer(config: BaseSpec, **settings: float) -> BaseSpec:
    """The configuration with other fields of the optimizer, which must be valid."""
    optimizer = config.train.optimizer.model_copy(update=settings)
    return config.model_copy(update={"train": config.train.model_copy(update={"optimizer": optimizer})})


def chosen_rates(
    study: StudySpec, scale: ScaleSpec, request: StudyRequest
) -> tuple[TuningSpec | None, RetrySpec | None]:
    """The request's tuning and retry rates, if it has any, else the scale's.

    Raises SpecError for retry rates of a study without a grid.
    """
    if request.retry and study.grid is None:
        raise SpecError(f"--retry-rates: {NO_CELLS}")
    return (request.tuning, request.retry) if request.tuning or request.retry else (scale.tuning, scale.retry)


def check_runs(
    study: StudySpec,
    names: tuple[str, ...],
    seeds: tuple[int, ...],
    *,
    tuning: TuningSpec | None,
    retry: RetrySpec | None,
) -> None:
    """Raises SpecError for more runs than can be kept, before any is listed; for tuning seeds that claims use; and
    for text without a tuning split."""
    _check_tuning(study, tuning, seeds)
    of_an_arm = len(seeds) * (1 + (len(retry.learning_rates) if retry else 0))
    if tuning is not None:
        points = len(tuning.learning_rates) * max(1, len(tuning.weight_decays))
        of_an_arm = 2 * len(seeds) + points * len(tuning.seeds)
    if (runs := len(names) * of_an_arm) > MOST_RUNS:
        raise SpecError(
            f"{len(names):,} arms x {of_an_arm:,} runs of each (seeds, rates) = {runs:,} runs, expected at most "
            f"{MOST_RUNS:,}, since each has a folder of its own; choose fewer arms, seeds or rates"
        )


def _check_tuning(study: StudySpec, tuning: TuningSpec | None, seeds: tuple[int, ...]) -> None:
    """Raises SpecError for tuning seeds that claims use, and for text without a tuning split."""
    if tuning is None:
        return
    if shared := set(seeds) & set(tuning.seeds):
        raise SpecError(
            f"tuning.seeds: the claims use seed {min(shared)} too; rates chosen on it would favour their arm, so "
            "choose other seeds"
        )
    if isinstance(study.base.data, DataSpec) and not study.base.data.tuning_fraction:
        raise SpecError(
            "tuning: rates are chosen on records that no claim sees, and data.tuning_fraction = 0 sets none aside; "
            "set it, for example data.tuning_fraction=0.05"
        )

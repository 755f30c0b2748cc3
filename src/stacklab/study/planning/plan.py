"""The plan: what will run, counted and checked before anything is trained, as one storable value."""

from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from stacklab.base.errors import DataError
from stacklab.base.spec import Items, Spec, added
from stacklab.data.integrity import read_whole, write_whole
from stacklab.data.spec import DataSpec
from stacklab.model.count import all_scores, count_parameters, flops_per_token
from stacklab.run.metrics import is_share
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.stats.comparison import Pairing
from stacklab.stats.multiplicity import look_level
from stacklab.study.planning.arms import DataCache, ResolvedArm, Starts, check_context, resolve_arms, with_data
from stacklab.study.planning.attention_cost import AttentionCosts
from stacklab.study.planning.contrast import DataFacts, Difference, differences, pairing
from stacklab.study.planning.match import StepTimes, unmatched
from stacklab.study.planning.match_step_time import step_time_solver
from stacklab.study.planning.memory import memory_of
from stacklab.study.planning.rates import check_runs, chosen_rates
from stacklab.study.spec.claim import ClaimSpec
from stacklab.study.spec.rates import RetrySpec, TuningSpec
from stacklab.study.spec.request import StudyRequest, requested_engine
from stacklab.study.spec.study import BaseSpec, StudySpec


class MatchPlan(Spec):
    """A solved control: the matched quantity, the value of the knob, the relative residual, and the other quantities
    relative to the target's (0.01 is one per cent more)."""

    quantity: str
    to: str
    knob: str
    value: int
    residual: float
    others: dict[str, float]
    times: StepTimes | None = None
    """Only for a match of step times: the measurement."""


class ArmPlan(Spec):
    name: str
    label: str
    config: BaseSpec
    data_fingerprint: str
    baselines: dict[str, float]
    """Metric -> the best accuracy of guessing; empty for text."""
    parameters: dict[str, int]
    total_parameters: int
    non_embedding_parameters: int
    flops_per_token: int
    memory_bytes: dict[str, int]
    """By part, their total, and all_scores: the B x heads x T^2 scores of a layer, which are never held at once."""
    match: MatchPlan | None
    changes: Items[Difference]
    """Effective differences from the base: left the base's value, right the arm's."""
    origin: str = ""
    """For an arm at another learning rate: the same arm at the shared rate."""
    data_warnings: Items[str] = added(())
    """Those of the arm's own data; empty for an arm on the data of the base."""

    @property
    def train_flops(self) -> int:
        train = self.config.train
        return self.flops_per_token * train.steps * train.batch_size * self.config.data.block_size


class Contrast(Spec):
    """One claim about one pair of arms, with everything that differs between the two."""

    id: str
    claim: ClaimSpec
    against: str
    differences: Items[Difference]

    @property
    def pairing(self) -> Pairing:
        return pairing(row.path for row in self.differences)


class PlannedRun(NamedTuple):
    arm: ArmPlan
    seed: int
    spec: RunSpec


class Plan(Spec):
    """What will run. It is saved once and never changes: what depends on results is derived from it."""

    study: StudySpec
    scale: str
    seeds: Items[int]
    data_fingerprint: str
    data: DataFacts
    arms: Items[ArmPlan]
    contrasts: Items[Contrast]
    not_asked: Items[str]
    """Claims that this scale leaves out, each with the reason."""
    variant: str = ""
    """Distinguishes the folders of one scale under other settings or seeds; empty for the scale as written."""
    looks: int = 1
    """Number of looks at the results, each with more seeds. Contrasts hold the claims at the level of this look."""
    look: int = 1
    tuning: TuningSpec | None = None
    retry: RetrySpec | None = None
    attention: AttentionCosts | None = None
    """Only for a study with a trend."""
    gpus_per_run: int = added(1)
    """Cards that share the batches of each run."""

    @property
    def data_warnings(self) -> tuple[str, ...]:
        """What weakens conclusions from the data: the warnings of the base's manifest, and of arms with their own."""
        of_arms: dict[str, list[str]] = {}
        for arm in self.arms:
            for line in () if arm.origin else arm.data_warnings:
                of_arms.setdefault(line, []).append(arm.label)
        base = map(str, self.data.get("warnings") or ())
        return (*base, *(f"{', '.join(labels)}: {line}" for line, labels in of_arms.items()))

    def arm(self, name: str) -> ArmPlan:
        return next(arm for arm in self.arms if arm.name == name)

    def run_spec(self, arm: ArmPlan, seed: int) -> RunSpec:
        return arm.config.as_run(arm.data_fingerprint, seed=seed)

    def runs(self) -> list[PlannedRun]:
        """All runs, most expensive first, so that no long run is left for the end; the seeds of an arm together."""
        arms = sorted(self.arms, key=lambda arm: -arm.train_flops)
        return [PlannedRun(arm, seed, self.run_spec(arm, seed)) for arm in arms for seed in self.seeds]

    def folder(self, out: Path) -> Path:
        return _folder(out, self.study.name, self.scale, self.variant)


def study_folder(name: str, request: StudyRequest) -> Path:
    """The folder of plan and results of the study `name`, run as requested."""
    return _folder(request.out, name, request.scale, request.variant)


def _folder(out: Path, name: str, scale: str, variant: str) -> Path:
    return OutPaths(out).study(name, f"{scale}-{variant}" if variant else scale)


def make_plan(
    study: StudySpec,
    request: StudyRequest,
    *,
    seeds: tuple[int, ...] | None = None,
    looks: int = 1,
    look: int = 1,
) -> Plan:
    """Prepare the data, resolve and check the arms, pair them for the claims. `study` is the study at the request's
    scale, with its overrides. seeds: those of a later look, which replace the request's.

    Raises DataError, TokenizerError, SpecError, ContrastError or MatchError for what cannot be run.
    """
    settings, out = study.scales[request.scale], request.out
    engine = requested_engine(request, study.base.train)
    chosen = seeds or request.seeds or settings.seeds
    tuning, retry = chosen_rates(study, settings, request)
    names = tuple(study.arms) if settings.arms is None else settings.arms
    check_runs(study, names, chosen, tuning=tuning, retry=retry)
    ready = DataCache(OutPaths(out).cache)
    check_context("the base", study.base)
    data = ready(study.base)
    # Step times are measured with the threads of a run of the first look, so that later looks reuse the matches.
    threads = engine.threads(len(names) * len(chosen) // look)
    by_time = step_time_solver(out, data_fingerprint=data.fingerprint, threads=threads)
    starts = Starts(OutPaths(out))
    arms = resolve_arms(study, names=names, ready=ready, by_time=by_time, starts=starts)
    contrasts, not_asked = _contrasts(study, settings.claims, arms)
    contrasts = tuple(_at_look(contrast, look, looks) for contrast in contrasts)
    base = starts(with_data(study.base, data))
    return Plan(
        study=study,
        scale=request.scale,
        seeds=chosen,
        data_fingerprint=data.fingerprint,
        data=data.facts,
        arms=tuple(
            _arm_plan(base, arms, arm, shared=data.fingerprint, cards=request.gpus_per_run) for arm in arms.values()
        ),
        contrasts=contrasts,
        not_asked=not_asked,
        variant=request.variant,
        looks=looks,
        look=look,
        tuning=tuning,
        retry=retry,
        gpus_per_run=request.gpus_per_run,
    )


def _at_look(contrast: Contrast, look: int, looks: int) -> Contrast:
    claim = contrast.claim
    level = look_level(claim.level, look, looks)
    return contrast.model_copy(update={"claim": claim.model_copy(update={"level": level})})


def save_plan(plan: Plan, folder: Path) -> None:
    write_whole(folder / "plan.json", plan.dump())


def load_plan(folder: Path) -> Plan:
    """The saved plan. Raises DataError for a file that is not a plan, is damaged, or is one of another version."""
    mend = "delete it, its runs are kept"
    try:
        return _without_tuned(Plan.model_validate(read_whole(path := folder / "plan.json", mend=mend)))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise DataError(f"{path}: not a plan of this version ({where}); {mend}") from error


def _without_tuned(plan: Plan) -> Plan:
    """Earlier versions saved arms at their own best settings with the plan; they are derived from the runs now."""
    tuned = tuple(arm.name for arm in plan.arms if arm.origin)
    if not tuned:
        return plan
    arms = tuple(arm for arm in plan.arms if not arm.origin)
    contrasts = tuple(one for one in plan.contrasts if one.claim.arm not in tuned)
    not_asked = tuple(line for line in plan.not_asked if not line.partition(": ")[0].endswith("@tuned"))
    return plan.model_copy(update={"arms": arms, "contrasts": contrasts, "not_asked": not_asked})


def _unanswerable(metric: str, arm: ResolvedArm) -> str:
    """Why no run of the arm can measure an accuracy; empty if one can, and for other metrics."""
    known = arm.data.metrics
    if not is_share(metric) or metric in known:
        return ""
    if isinstance(arm.config.data, DataSpec) and not arm.config.evaluate.problems:
        return "this scale evaluates no problems (evaluate.problems: 0)"
    available = f" (only for {', '.join(known)})" if known else ""
    return f"the data have no problems for {metric}{available}"


def _contrasts(
    study: StudySpec, claims: tuple[str, ...] | None, arms: dict[str, ResolvedArm]
) -> tuple[tuple[Contrast, ...], tuple[str, ...]]:
    contrasts, left_out = [], []
    for claim in study.claims:
        for other in claim.against:
            name = f"{claim.id}:{other}"
            if claims is not None and claim.id not in claims:
                left_out.append(f"{name}: this scale does not include the claim")
            elif absent := [arm for arm in (claim.arm, other) if arm not in arms]:
                left_out.append(f"{name}: this scale runs without the arm {absent[0]}")
            elif reason := _unanswerable(claim.metric, arms[claim.arm]) or _unanswerable(claim.metric, arms[other]):
                left_out.append(f"{name}: {reason}")
            else:
                moved = tuple(differences(arms[other].config, arms[claim.arm].config))
                contrasts.append(Contrast(id=name, claim=claim, against=other, differences=moved))
    return tuple(contrasts), tuple(left_out)


def _arm_plan(base: BaseSpec, arms: dict[str, ResolvedArm], arm: ResolvedArm, *, shared: str, cards: int) -> ArmPlan:
    model, train, context = arm.config.model, arm.config.train, arm.config.data.block_size
    parameters = count_parameters(model)
    memory, micro_batch = memory_of(arm.config, cards=cards), train.micro_batch_on(cards)
    return ArmPlan(
        name=arm.name,
        label=arm.arm.label,
        config=arm.config,
        data_fingerprint=arm.data.fingerprint,
        data_warnings=tuple(arm.data.facts.get("warnings", ())) if arm.data.fingerprint != shared else (),
        baselines=arm.data.guesses,
        parameters=vars(parameters),
        total_parameters=parameters.total,
        non_embedding_parameters=parameters.non_embedding,
        flops_per_token=flops_per_token(model, context=context),
        memory_bytes=vars(memory)
        | {
            "total": memory.total,
            "all_scores": all_scores(model, micro_batch=micro_batch, context=context),
        },
        match=_match_plan(arms, arm),
        changes=tuple(differences(base, arm.config)),
    )


def _match_plan(arms: dict[str, ResolvedArm], arm: ResolvedArm) -> MatchPlan | None:
    if arm.match is None or arm.arm.match is None:
        return None
    spec, context = arm.arm.match, arm.config.data.block_size
    others: dict[str, float] = {}
    if spec.to in arms:
        others.update(unmatched(arm.match.model, arms[spec.to].config.model, context=context))
    return MatchPlan(
        quantity=spec.quantity,
        to=spec.to,
        knob=spec.knob,
        value=arm.match.value,
        residual=arm.match.residual,
        times=arm.match.times,
        others=others,
    )

"""Arms resolved: changes applied, controls solved, everything else checked to be equal."""

from typing import NamedTuple

from pydantic import ValidationError

from stacklab.base.errors import MatchError, SpecError
from stacklab.base.yamlfile import Places
from stacklab.model.count import measure
from stacklab.model.spec import ModelSpec
from stacklab.study.contrast import check_declared
from stacklab.study.load import assign, describe
from stacklab.study.match import Match, TimeSolver, solve
from stacklab.study.spec import ArmSpec, BaseSpec, MatchSpec, StudySpec


class ResolvedArm(NamedTuple):
    name: str
    arm: ArmSpec
    config: BaseSpec
    match: Match | None


def resolve_arms(
    study: StudySpec, *, names: tuple[str, ...], vocab_size: int, by_time: TimeSolver
) -> dict[str, ResolvedArm]:
    """The named arms, in the study's order, as complete configurations. `by_time` solves matches of step times.

    Raises SpecError when a change does not make a valid configuration, ContrastError when an arm moves something it
    does not declare, MatchError when a control has no solution.
    """
    base = study.base.with_model(_with_vocabulary(study.base.model, vocab_size))
    resolved: dict[str, ResolvedArm] = {}
    for name in _targets_first(study):
        arm = study.arms[name]
        if name not in names and arm.match is not None and arm.match.quantity == "step_seconds":
            continue  # Nothing is measured for an arm that is not asked for.
        config = _changed(name, arm, base)
        match = None
        if arm.match is not None:
            match = _solve(name, arm.match, config, resolved[arm.match.to].config, by_time)
            config = config.with_model(match.model)
        _check_context(f"arm {name}", config)
        check_declared(name, arm, base, config, study.knobs)
        _check_mask(name, config)
        resolved[name] = ResolvedArm(name, arm, config, match)
    return {name: resolved[name] for name in study.arms if name in names}


def resolve_base(study: StudySpec, *, vocab_size: int) -> BaseSpec:
    """The base itself as a complete configuration. Raises SpecError when it is not a valid one."""
    base = study.base.with_model(_with_vocabulary(study.base.model, vocab_size))
    _check_context("the base", base)
    return base


def _with_vocabulary(model: ModelSpec, vocab_size: int) -> ModelSpec:
    """The tokenizer's size unless the study states one, which may be larger (unused rows) but not smaller."""
    if model.vocab_size is None:
        return ModelSpec.model_validate(model.dump() | {"vocab_size": vocab_size})
    if model.vocab_size < vocab_size:
        raise SpecError(f"model.vocab_size = {model.vocab_size} is below the tokenizer's {vocab_size} ids")
    return model


def _targets_first(study: StudySpec) -> list[str]:
    """Arms that others match come first. Raises MatchError for a control matched to itself or to another control."""
    for name, arm in study.arms.items():
        if arm.match is not None and arm.match.to == name:
            raise MatchError(f"arms.{name}.match.to: {name} is matched to itself; name the arm that it is to equal")
        if arm.match is not None and study.arms[arm.match.to].match is not None:
            raise MatchError(
                f"arms.{name}.match.to: {arm.match.to} is itself a matched control; match the arm it copies"
            )
    return sorted(study.arms, key=lambda name: study.arms[name].match is not None)


def _changed(name: str, arm: ArmSpec, base: BaseSpec) -> BaseSpec:
    tree = base.dump()
    for path, value in arm.change.items():
        assign(tree, path, value, where=f"arms.{name}.change")
    try:
        return BaseSpec.model_validate(tree)
    except ValidationError as error:
        raise SpecError(describe(error, Places(f"arm {name}"))) from error


def _check_mask(name: str, config: BaseSpec) -> None:
    if config.model.mask != "causal":
        raise SpecError(
            f"arm {name}: model.mask = {config.model.mask} shows each position the next token, which it is trained to "
            "predict; use causal"
        )


def _solve(name: str, match: MatchSpec, config: BaseSpec, target: BaseSpec, by_time: TimeSolver) -> Match:
    try:
        if match.quantity == "step_seconds":
            return by_time(match, config, target)
        wanted = measure(target.model, match.quantity, context=target.data.block_size)
        return solve(match, config.model, wanted, context=config.data.block_size)
    except MatchError as error:
        raise MatchError(f"arms.{name}.{error}") from error
    except ValidationError as error:
        raise SpecError(describe(error, Places(f"arm {name}, while matching"))) from error


def _check_context(who: str, config: BaseSpec) -> None:
    if config.data.block_size > config.model.context_length:
        raise SpecError(
            f"{who}: data.block_size = {config.data.block_size} exceeds "
            f"model.context_length = {config.model.context_length}"
        )

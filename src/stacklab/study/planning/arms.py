"""Arms resolved: changes applied, controls solved, everything else checked to be equal."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from stacklab.base.errors import MatchError, SpecError
from stacklab.base.yamlfile import Places
from stacklab.data.prepared import load_prepared, prepared_folder
from stacklab.data.spec import DataSpec
from stacklab.model.count import measure
from stacklab.model.masks import MASKS
from stacklab.model.spec import ModelSpec
from stacklab.run.metrics import at_evaluations
from stacklab.run.paths import OutPaths
from stacklab.run.resolve_data import ResolvedData, resolve_data
from stacklab.study.planning.contrast import check_declared, unlike
from stacklab.study.planning.match import Match, TimeSolver, solve
from stacklab.study.spec.load import assign, describe
from stacklab.study.spec.study import ArmSpec, BaseSpec, MatchSpec, StudySpec
from stacklab.tasks.arrays import Arrays
from stacklab.tasks.data import TaskData

if TYPE_CHECKING:
    from stacklab.exchange.open_model import StartModel

SAMPLE = "Once upon a time, there were 3 words; naïve ones.\n\n    def f(x): return {'a': x}  # 42\n"
"""A text that two tokenizers hardly split alike unless they are the same."""


class ResolvedArm(NamedTuple):
    name: str
    arm: ArmSpec
    config: BaseSpec
    data: ResolvedData
    match: Match | None


class DataCache:
    """Resolved data, shared by the arms that have the same data."""

    def __init__(self, cache: Path) -> None:
        self._cache, self._resolved = cache, dict[tuple[str, bool], ResolvedData]()

    def __call__(self, config: BaseSpec) -> ResolvedData:
        key = (config.data.fingerprint, config.evaluate.problems > 0)
        if key not in self._resolved:
            self._resolved[key] = resolve_data(config.data, cache=self._cache, ask=key[1])
        return self._resolved[key]


class Starts:
    """The models from whose weights arms start, each read once."""

    def __init__(self, out: OutPaths) -> None:
        self._out, self._read = out, dict[str, "tuple[str, StartModel]"]()

    def __call__(self, config: BaseSpec) -> BaseSpec:
        """The configuration with the fingerprint of the weights in place of the model's name; they are kept.

        Raises DataError, PortError, CheckpointError or TokenizerError for a model that cannot be read.
        """
        source = config.model.start_from
        if source is None:
            return config
        name, _ = self._open(source)
        return config.with_model(config.model.model_copy(update={"start_from": name}))

    def check(self, who: str, source: str | None, config: BaseSpec, data: ResolvedData) -> None:
        """Raises SpecError for a model of another stack or vocabulary than the configuration's."""
        if source is None:
            return
        _, model = self._open(source)
        if row := unlike(config, model.spec):
            raise SpecError(
                f"{who}: model.start_from: {source} has {row.path} = {row.left!r}, here it is {row.right!r}; set "
                f"{row.path} to {row.left!r}, or start from another model"
            )
        if isinstance(config.data, DataSpec) and model.encode is not None:
            self._check_text(f"{who}: model.start_from: {source}", model, data)

    def _check_text(self, what: str, model: "StartModel", data: ResolvedData) -> None:
        prepared = load_prepared(prepared_folder(self._out.cache, data.fingerprint))
        if model.compact not in (None, data.fingerprint):
            raise SpecError(f"{what} has the compact vocabulary of other data, whose ids mean other tokens")
        assert model.encode is not None
        theirs, ours = model.encode(SAMPLE), prepared.encode(SAMPLE)
        if theirs != ours:
            raise SpecError(
                f"{what} has another tokenizer than the data: ids {theirs[:4]}... there and {ours[:4]}... here for the "
                f"same text; set data.tokenizer to that of the model"
            )

    def _open(self, source: str) -> "tuple[str, StartModel]":
        if source not in self._read:
            from stacklab.exchange.open_model import start_model
            from stacklab.train.start import keep_weights

            model = start_model(source, self._out.root)
            self._read[source] = keep_weights(model.tensors, self._out.start), model
        return self._read[source]


def resolve_arms(
    study: StudySpec,
    *,
    names: tuple[str, ...],
    ready: Callable[[BaseSpec], ResolvedData],
    by_time: TimeSolver,
    starts: Starts | None = None,
) -> dict[str, ResolvedArm]:
    """The named arms, in the study's order, as complete configurations with their data.

    `by_time` solves matches of step times. starts: reads the models from which arms start; None leaves their names.

    Raises SpecError when a change does not make a valid configuration, ContrastError when an arm moves something it
    does not declare, MatchError when a control has no solution.
    """
    base = with_data(study.base, ready(study.base))
    base = starts(base) if starts else base
    resolved: dict[str, ResolvedArm] = {}
    for name in _targets_first(study, names):
        arm = study.arms[name]
        config = _changed(name, arm, study.base)
        check_context(f"arm {name}", config)
        data = ready(config)
        _check_stop(f"arm {name}", config, data)
        config = with_data(config, data)
        match = None
        if arm.match is not None:
            match = _solve(name, arm.match, config, resolved[arm.match.to].config, by_time)
            config = config.with_model(match.model)
        if starts:
            starts.check(f"arm {name}", config.model.start_from, config, data)
            config = starts(config)
        check_declared(name, arm, base, config, study.knobs)
        _check_mask(name, config)
        resolved[name] = ResolvedArm(name, arm, config, data, match)
    return {name: resolved[name] for name in study.arms if name in names}


def with_data(config: BaseSpec, data: ResolvedData) -> BaseSpec:
    """The configuration with the settings that follow from the data: how validation is held out, vocabulary size, and
    steps for epochs. Raises SpecError for data of which no valid ones follow."""
    try:
        return _with_steps(_with_vocabulary(_with_validation(config), data), data)
    except ValidationError as error:
        raise SpecError(describe(error, Places("the settings that follow from the data"))) from error


def _with_validation(config: BaseSpec) -> BaseSpec:
    """A running text that was not stated to be split by hash is no text of earlier runs, so its dump says so."""
    if not isinstance(config.data, DataSpec):
        return config
    return config.model_copy(update={"data": config.data.settled})


def _with_steps(config: BaseSpec, data: ResolvedData) -> BaseSpec:
    """Epochs as steps; the last batch of an epoch may reach into the next."""
    train = config.train
    if train.epochs is None:
        return config
    if "splits" not in data.facts:
        raise SpecError(
            "train.epochs: fresh sequences have no epochs; set train.steps, or data.train_sequences for a fixed set"
        )
    tokens = data.facts["splits"]["train"]["tokens_per_epoch"]
    steps = math.ceil(train.epochs * tokens / (train.batch_size * config.data.block_size))
    return config.model_validate(config.dump() | {"train": train.dump() | {"steps": steps}})


def _with_vocabulary(config: BaseSpec, data: ResolvedData) -> BaseSpec:
    """The vocabulary size of the data, unless the study sets a larger one (unused rows); a smaller one is refused."""
    model = config.model
    if model.vocab_size is None:
        return config.with_model(ModelSpec.model_validate(model.dump() | {"vocab_size": data.vocab_size}))
    if model.vocab_size < data.vocab_size:
        raise SpecError(f"model.vocab_size = {model.vocab_size} is below the {data.vocab_size} ids of the data")
    return config


def _targets_first(study: StudySpec, names: tuple[str, ...]) -> list[str]:
    """The named arms and the arms that they match; matched controls last.

    Raises MatchError for a control matched to itself or to another control.
    """
    for name, arm in study.arms.items():
        if arm.match is not None and arm.match.to == name:
            raise MatchError(f"arms.{name}.match.to: {name} is matched to itself; name the arm to equal")
        if arm.match is not None and study.arms[arm.match.to].match is not None:
            raise MatchError(
                f"arms.{name}.match.to: {arm.match.to} is itself a matched control; match the arm it copies"
            )
    targets = {arm.match.to for name, arm in study.arms.items() if name in names and arm.match is not None}
    wanted = [name for name in study.arms if name in names or name in targets]
    return sorted(wanted, key=lambda name: study.arms[name].match is not None)


def _changed(name: str, arm: ArmSpec, base: BaseSpec) -> BaseSpec:
    tree = base.dump()
    for path, value in arm.change.items():
        assign(tree, path, value, where=f"arms.{name}.change")
    try:
        return BaseSpec.model_validate(tree)
    except ValidationError as error:
        raise SpecError(describe(error, Places(f"arm {name}"))) from error


def _check_mask(name: str, config: BaseSpec) -> None:
    if not MASKS[config.model.mask].causal and isinstance(config.data, DataSpec):
        raise SpecError(
            f"arm {name}: model.mask = {config.model.mask} shows each position the next token, which it is trained to "
            "predict; use causal"
        )
    task = config.data.task if isinstance(config.data, TaskData) else None
    if not MASKS[config.model.mask].causal and isinstance(task, Arrays) and task.mixed_lengths:
        raise SpecError(
            f"arm {name}: model.mask = {config.model.mask} would see what fills up shorter sequences; use causal"
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


def _check_stop(who: str, config: BaseSpec, data: ResolvedData) -> None:
    """Raises SpecError for a stop metric that is not evaluated, or a goal that it cannot reach."""
    rule = config.train.stop
    if rule is None:
        return
    is_task = isinstance(config.data, TaskData)
    shares = data.metrics if is_task else ()
    known = (*at_evaluations("task" if is_task else "text"), *shares)
    if rule.metric not in known:
        raise SpecError(f"{who}: train.stop.metric: {rule.metric!r} is not measured; choose one of {', '.join(known)}")
    if rule.metric in shares and rule.at_least > 1:
        raise SpecError(f"{who}: train.stop.at_least = {rule.at_least:g}: a share of answers is at most 1")


def check_context(who: str, config: BaseSpec) -> None:
    """Raises SpecError for sequences longer than the context of the model. Call it before any are drawn."""
    if config.data.block_size > config.model.context_length:
        data, length = config.data, config.data.block_size
        origin = "data.block_size" if isinstance(data, DataSpec) else f"data.task: {data.task.makeup}"
        raise SpecError(f"{who}: {origin} = {length} exceeds model.context_length = {config.model.context_length}")

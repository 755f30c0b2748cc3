"""Where the numbers come from: versions, machine, data, the order of batches."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stacklab.base.errors import DataError
from stacklab.base.files import exists, read_record
from stacklab.base.spec import Items, Spec
from stacklab.base.units import plain
from stacklab.report.facts.history import RunFact
from stacklab.run.paths import OutPaths
from stacklab.study.planning.plan import Plan
from stacklab.study.results.collect import Row, same_batches
from stacklab.tasks.data import TaskData

PER_STUDY = "data"
"""The manifest is the same for all runs of a study; the plan has it."""


class ProvenanceFact(Spec):
    """One fact of provenance: each distinct value with the number of runs that have it."""

    key: str
    values: dict[str, int]


class OrderFact(Spec):
    """Whether the arms saw the same batches at one seed; None when fewer than two arms have a recorded order."""

    seed: int
    arms: int
    equal: bool | None
    hashes: Items[str]


class DataFact(Spec):
    """Data that arms train on: the settings by dotted path, and the labels of the arms."""

    data_fingerprint: str
    name: str
    settings: dict[str, Any]
    arms: Items[str]


def provenance_facts(runs: Iterable[RunFact], out: OutPaths) -> tuple[ProvenanceFact, ...]:
    """Each key of the runs' provenance with its distinct values, and how many runs have each; a damaged file is
    one too."""
    counted: dict[str, dict[str, int]] = {}
    for run in runs:
        path = out.run(run.run_id).provenance
        if not exists(path):
            continue
        try:
            facts = read_record(path)
        except DataError:
            facts = {path.name: "damaged"}
        for key, value in flatten(facts).items():
            if key.split(".", 1)[0] != PER_STUDY:
                values = counted.setdefault(key, {})
                values[plain(value)] = values.get(plain(value), 0) + 1
    return tuple(ProvenanceFact(key=key, values=values) for key, values in counted.items())


def order_facts(plan: Plan, rows: Sequence[Row]) -> tuple[OrderFact, ...]:
    """Per seed, whether all arms that share their data and finished drew the same batches in the same order."""
    facts = []
    for seed in plan.seeds:
        finished = [row for row in rows if row.seed == seed and row.status == "finished" and row.batches]
        distinct = tuple(dict.fromkeys(row.batches for row in finished))
        groups: dict[str, list[Row]] = {}
        for row in finished:
            groups.setdefault(plan.arm(row.arm).data_fingerprint, []).append(row)
        several = [group for group in groups.values() if len(group) > 1]
        equal = all(same_batches(group[0], row) for group in several for row in group) if several else None
        facts.append(OrderFact(seed=seed, arms=len(finished), equal=equal, hashes=distinct))
    return tuple(facts)


def data_facts(plan: Plan) -> tuple[DataFact, ...]:
    """The data of the arms, each once."""
    by_fingerprint: dict[str, DataFact] = {}
    for arm in plan.arms:
        data = arm.config.data
        settings = flatten(_task_settings(data) if isinstance(data, TaskData) else data.complete())
        name = data.task.kind if isinstance(data, TaskData) else data.source.kind
        new = DataFact(data_fingerprint=arm.data_fingerprint, name=name, settings=settings, arms=())
        known = by_fingerprint.get(arm.data_fingerprint, new)
        by_fingerprint[arm.data_fingerprint] = known.model_copy(update={"arms": (*known.arms, arm.label)})
    return tuple(by_fingerprint.values())


def _task_settings(data: TaskData) -> dict[str, Any]:
    fixed = {} if data.train_sequences is None else {"train_sequences": data.train_sequences}
    return data.task.dump() | fixed


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """
    >>> flatten({"a": {"b": 1}, "c": [1]})
    {'a.b': 1, 'c': [1]}
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{path}.")
        else:
            flat[path] = value
    return flat

"""The table of metrics, held against what runs write."""

from pathlib import Path

import pytest
from tests.run.conftest import Bench
from tests.run.tasks import make_runs, task_spec

from stacklab.base.errors import DataError
from stacklab.base.files import read_json, read_jsonl
from stacklab.run.execute import execute
from stacklab.run.metrics import at_evaluations, check_metric, describe, in_order, is_share
from stacklab.run.paths import RunPaths


def written(paths: RunPaths) -> tuple[set[str], set[str]]:
    """The metrics of a run's result and timing, and those of its evaluations."""
    execute(paths.folder, threads=1)
    result, timing = read_json(paths.result)["metrics"], read_json(paths.timing)
    return {*result, *timing}, set(read_jsonl(paths.evals)[0]) - {"step"}


@pytest.mark.trains
@pytest.mark.parametrize("split", ["validation", "tuning"])
def test_every_metric_of_a_run_over_text_has_a_title(split: str, bench: Bench) -> None:
    spec = bench.spec()
    data = bench.data.model_copy(update={"tuning_fraction": 0.1})
    prepared = bench.prepare(data)
    evaluate = spec.evaluate.model_copy(update={"split": split})
    update = {"data": data, "data_fingerprint": prepared.fingerprint, "evaluate": evaluate}
    metrics, evaluated = written(bench.folder(spec.model_copy(update=update)))
    assert all(describe(name).title != name for name in metrics)
    assert {name.replace(f"{split}.", "validation.") for name in evaluated} == set(at_evaluations("text"))


@pytest.mark.trains
def test_every_metric_of_a_run_over_a_task_has_a_title(tmp_path: Path) -> None:
    stop = {"metric": "validation.accuracy", "at_least": 0.0, "evaluations": 1}
    (paths,) = make_runs(tmp_path, [task_spec(stop=stop)])
    metrics, evaluated = written(paths)
    assert "steps_to_solve" in metrics
    assert all(describe(name).title != name for name in metrics)
    losses = {name for name in evaluated if not is_share(name)}
    assert losses == set(at_evaluations("task"))


def test_members_of_families_are_named_and_ordered_by_their_number() -> None:
    names = ["accuracy.hops_10", "accuracy.hops_2", "accuracy", "validation.accuracy.k=10", "validation.accuracy.k=2"]
    order = ["accuracy", "accuracy.hops_2", "accuracy.hops_10", "validation.accuracy.k=2", "validation.accuracy.k=10"]
    assert [metric.name for metric in in_order([*names, "validation.loss", "total_parameters"])] == [
        "total_parameters",
        "validation.loss",
        *order,
    ]
    assert describe("validation.accuracy.k=2").title == "Validation, accuracy, k=2"
    assert describe("accuracy.hops_1").title == "Exact answers, 1-hop problems"


def test_what_the_table_does_not_hold_is_refused() -> None:
    for name in ("zebra", "validation", "accuracy.hops_x", "validation.accuracy."):
        with pytest.raises(DataError, match="no metric is called"):
            describe(name)
    for name in ("zebra", "train_seconds", "tuning.loss"):
        with pytest.raises(ValueError, match=f"no run has the metric '{name}'; metrics are train_probe.loss, "):
            check_metric(name)

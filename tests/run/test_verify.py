from pathlib import Path

import pytest

from stacklab.base.errors import DataError
from stacklab.base.files import write_json, write_text
from stacklab.run.paths import RunPaths
from stacklab.run.verify import HASHES, alteration, evaluated, file_hash, hashes, last_evaluated, logged


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "0123456789abcdef")


def test_a_file_hash_is_that_of_its_bytes_and_empty_without_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert file_hash(path) == ""
    path.write_text("abc")
    assert file_hash(path) == "ba7816bf8f01cfea"


def test_results_can_be_seen_from_the_first_evaluation_after_step_0(paths: RunPaths) -> None:
    assert not evaluated(paths) and last_evaluated(paths) is None
    write_text(paths.evals, '{"step":0}\n')
    assert not evaluated(paths) and last_evaluated(paths) is None
    write_text(paths.evals, '{"step":0}\n{"step":50}\n')
    assert evaluated(paths) and last_evaluated(paths) == paths.evals.stat().st_mtime
    paths.evals.unlink()
    write_json(paths.result, {})
    assert evaluated(paths) and last_evaluated(paths) == paths.result.stat().st_mtime


def test_a_result_without_hashes_and_spec_is_not_checked(paths: RunPaths) -> None:
    assert alteration(paths, {"status": "finished"}) == ""


def test_every_part_of_a_folder_is_checked(paths: RunPaths) -> None:
    write_text(paths.metrics, "m\n")
    write_text(paths.evals, "e\n")
    result = {"status": "finished", "batches": "b"}
    held = result | {HASHES: hashes(paths, result)}
    assert alteration(paths, held) == "spec.json is missing"
    write_json(paths.spec, {"seed": 1})
    assert alteration(paths, held).startswith("not the spec of a run")


@pytest.mark.parametrize("line", ['{"loss": 1.0}', '{"step": true, "loss": 1.0}', '{"step": 1, "loss": "low"}', "[1]"])
def test_a_line_of_a_log_without_its_numbers_is_named(tmp_path: Path, line: str) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text(f'{{"step": 1, "loss": 2}}\n{line}\n')
    with pytest.raises(DataError, match=r"metrics\.jsonl:2: "):
        logged(log, "loss")

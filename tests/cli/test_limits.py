"""Limits of the machine are named, with exit code 2; the command runs under the limit that the system holds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = """
import resource, sys
name, value = sys.argv[1], int(sys.argv[2])
resource.setrlimit(getattr(resource, name), (value, value))
sys.argv = ["stacklab", *sys.argv[3:]]
from stacklab.cli.main import main
main()
"""

STUDY = """
name: limits
title: Limits
question: Which limit ends this study?
knobs: [model.num_heads]
base:
  data: {source: {kind: procedural-cot, records: 300}, tokenizer: {kind: bytes}, block_size: 32}
  model: {d_model: 16, num_layers: 1, num_heads: 1, context_length: 64}
  train: {steps: 2, batch_size: 4, schedule: {warmup_steps: 1}}
  evaluate: {every: 1, problems: 0}
arms: {one: {label: one}, two: {label: two, change: {model.num_heads: 2}}}
claims:
  - {id: more, statement: "{arm} beats {against}", metric: validation.loss, arm: two, against: [one], direction: lower}
scales: {smoke: {description: tiny, expected_time: seconds, seeds: [1, 2]}}
"""

LIMITS = [
    ("RLIMIT_AS", 600_000 * 1024, r"the limit of memory is reached \(ulimit -v is 600,000\)"),
    ("RLIMIT_CPU", 2, r"the limit of CPU time is reached \(ulimit -t is 2\)"),
    ("RLIMIT_NOFILE", 9, r"the limit of open files is reached \(ulimit -n is 9\)|limit of open files \(ulimit -n\)"),
    ("RLIMIT_FSIZE", 200, r"the limit of file sizes \(ulimit -f\) is too low"),
]


@pytest.mark.parametrize(("name", "value", "message"), LIMITS, ids=[name for name, _, _ in LIMITS])
def test_a_limit_is_named_in_one_line(name: str, value: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    command = [sys.executable, "-c", MAIN, name, str(value), "run", "study.yaml", "-o", "o", "-w", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("stacklab: ")
    assert re.search(message, last), last
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.part"))

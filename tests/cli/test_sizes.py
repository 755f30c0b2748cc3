"""Sizes that no machine has, as whole commands: one line that names the arithmetic, exit code 2, soon."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = """\
data:
  source: {kind: file, path: %s}
  tokenizer: %s
  template: plain
  block_size: 8
model: {d_model: 16, num_layers: %s, num_heads: 1, context_length: 64}
train: {steps: 2, batch_size: 2}
"""
TEXT = "the quick brown fox jumps over the lazy dog " * 3
GOOD = "".join(f'{{"text": "{TEXT}{number}"}}\n' for number in range(60))
BYTES = "{kind: bytes}"
MEMORY = 6 * 2**30
UNDER_A_LIMIT = f"""\
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
from stacklab.cli.main import main
sys.argv[0] = "stacklab"
main()
"""


def stacklab(*arguments: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", UNDER_A_LIMIT, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("name", "content", "tokenizer", "layers", "message"),
    [
        (
            "deep.jsonl",
            '{"text": "x", "y": ' + "[" * 100_000 + "]" * 100_000 + "}\n",
            BYTES,
            1,
            "deep.jsonl:61: lists and",
        ),
        (
            "digits.jsonl",
            '{"text": "x", "n": ' + "9" * 5000 + "}\n",
            BYTES,
            1,
            "digits.jsonl:61: a whole number of more",
        ),
        ("half.jsonl", '{"text": "a\\ud800b"}\n', BYTES, 1, "half.jsonl:61: text holds half of a surrogate pair"),
        ("good.jsonl", "", BYTES, 10_000_000, "num_layers: 10,000,000 layers, expected at most 10,000"),
        (
            "good.jsonl",
            "",
            "{kind: bpe, vocab_size: 100000000000}",
            1,
            "100,000,000,000 needs 11.64 TiB of memory, this",
        ),
    ],
    ids=["deep", "digits", "half", "layers", "vocabulary"],
)
def test_what_cannot_be_planned_is_one_line(
    name: str, content: str, tokenizer: str, layers: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(GOOD + content)
    (tmp_path / "run.yaml").write_text(RUN % (name, tokenizer, layers))
    done = stacklab("plan", "run.yaml", "--scale", "run", "--no-calibrate", "-o", "out", folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr[-2000:]
    assert message in done.stderr


def test_a_table_of_100_000_columns_is_planned(tmp_path: Path) -> None:
    header, fields = ",".join(f"c{number}" for number in range(100_000)), ",".join("x" * 100_000)
    rows = "".join(f"{TEXT}{number},{fields}\n" for number in range(40))
    (tmp_path / "wide.csv").write_text(f"text,{header}\n{rows}")
    (tmp_path / "run.yaml").write_text(RUN % ("wide.csv", BYTES, 1))
    done = stacklab("plan", "run.yaml", "--scale", "run", "--no-calibrate", "-o", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_log_with_a_line_of_500_000_characters_is_read(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(
        "step " * 100_000 + "\n" + "".join(f"step {step} train 5 val 5\n" for step in range(50))
    )
    done = stacklab("audit", "log.txt", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "read: log (50 train, 50 validation, to step 49)" in done.stdout

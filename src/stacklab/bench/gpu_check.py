"""`scripts/gpu-check`: what a machine with a GPU shows within minutes, as a Markdown and a JSON file for each part.

The files are written anew after every item, so that they hold what is known when the time is over.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stacklab.base.errors import UserError
from stacklab.base.files import write_json, write_text
from stacklab.bench.gpu_check_items import CONFIGURATIONS, Item, bench_items, study_items, test_items
from stacklab.bench.gpu_check_run import run_item

PARTS = ("tests", "bench", "study")
SECONDS = 240.0
LEAST_SECONDS = 10.0
"""No item is started with less time than this."""


class Budget:
    """The time of a part in seconds, from when it is made."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.longest: dict[str, float] = {}

    def left(self) -> float:
        return self.ends - time.monotonic()

    def allows(self, item: Item) -> bool:
        least = max(LEAST_SECONDS, self.longest.get(item.kind, 0.0))
        return self.left() - item.leaves >= least

    def spent(self, item: Item, seconds: float) -> None:
        if item.kind:
            self.longest[item.kind] = max(seconds, self.longest.get(item.kind, 0.0))


def run_part(part: str, items: Sequence[Item], *, seconds: float, folder: Path, facts: dict[str, Any]) -> bool:
    """Run the items that the time suffices for and write `gpu-check-<part>.md` and `.json`; whether none failed."""
    budget = Budget(seconds)
    outcomes: list[dict[str, Any]] = []
    for item in items:
        if budget.allows(item):
            sys.stderr.write(f"gpu-check {part}: {item.name}, {budget.left():.0f} s left\n")
            outcome = run_item(item, budget.left() - item.leaves, folder=folder)
            budget.spent(item, outcome["seconds"])
            sys.stderr.write(f"{outcome['text']}\n{item.name}: {outcome['state']}\n")
        else:
            outcome = {"name": item.name, "state": "left out", "seconds": 0.0, "figures": None, "text": ""}
        outcomes.append(outcome)
        result = {"part": part, "seconds": seconds, "environment": facts, "items": outcomes}
        write_json(folder / f"gpu-check-{part}.json", result)
        write_text(folder / f"gpu-check-{part}.md", render(result))
    return all(outcome["state"] != "failed" for outcome in outcomes)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0, 1 where an item failed, 2 where there is no GPU or the input cannot be used."""
    import torch

    options = _parse(arguments)
    if not torch.cuda.is_available():
        sys.stderr.write("gpu-check: torch finds no GPU that it can use here; `stacklab doctor` says more\n")
        return 2
    folder: Path = options.out
    passed = True
    with tempfile.TemporaryDirectory(prefix="stacklab-gpu-check-") as scratch:
        try:
            parts = {part: _items(part, options, Path(scratch)) for part in options.parts or PARTS}
        except UserError as error:
            sys.stderr.write(f"gpu-check: {error}\n")
            return error.exit_code
        folder.mkdir(parents=True, exist_ok=True)
        facts = environment()
        for part, items in parts.items():
            passed &= run_part(part, items, seconds=options.seconds, folder=folder, facts=facts)
            sys.stderr.write(f"gpu-check {part}: {folder / f'gpu-check-{part}.md'}\n")
    return 0 if passed else 1


def _items(part: str, options: argparse.Namespace, scratch: Path) -> list[Item]:
    if part == "tests":
        return test_items(scratch)
    if part == "bench":
        return bench_items(scratch, configurations=tuple(options.configurations.split(",")), pairs=options.pairs)
    runs = Path(os.environ.get("STACKLAB_OUT", "stacklab-out")).absolute()
    return study_items(text=options.text, tokenizer=options.tokenizer, seeds=options.seeds, out=runs)


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PARTS)}")
    return name


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    def path(name: str) -> Path | None:
        return Path(os.environ[name]) if name in os.environ else None

    parser = argparse.ArgumentParser(prog="gpu-check", description="Check and measure stacklab on this machine's GPU.")
    parser.add_argument("parts", nargs="*", type=_part, metavar="PART", help=f"{', '.join(PARTS)}; default: all")
    parser.add_argument("--out", type=Path, default=path("OUT") or Path("stacklab-out/gpu-check"), help="folder")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time of each part; default: %(default)g")
    parser.add_argument("--pairs", type=int, default=4, help="of bench; default: %(default)d")
    parser.add_argument("--configurations", default=",".join(CONFIGURATIONS), help="of bench: d_model x layers")
    parser.add_argument("--text", type=Path, default=path("STACKLAB_TEXT"), help="of study: a file of text")
    parser.add_argument("--tokenizer", type=Path, default=path("STACKLAB_TOKENIZER"), help="of study")
    parser.add_argument("--seeds", type=int, default=3, help="of study: number of them; default: %(default)d")
    return parser.parse_args(arguments)


def render(result: dict[str, Any]) -> str:
    """The Markdown page of a part: the machine, what failed or was left out, and what each command printed."""
    lines = [f"# gpu-check {result['part']}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in result["environment"].items()]
    for state in ("failed", "stopped", "left out"):
        names = [item["name"] for item in result["items"] if item["state"] == state]
        if names:
            lines += ["", f"**{state.capitalize()}** (of {result['seconds']:.0f} s): {'; '.join(names)}"]
    for item in result["items"]:
        if item["state"] != "left out":
            lines += ["", f"## {item['name']}: {item['state']}, {item['seconds']:.0f} s"]
            lines += ["", "```", item["text"], "```"]
    return "\n".join(lines) + "\n"


def environment() -> dict[str, Any]:
    """The cards and the software, as plain values."""
    import torch

    from stacklab.base.version import git_commit
    from stacklab.run.environment import versions
    from stacklab.train.card import describe_card

    cards = [describe_card(index) for index in range(torch.cuda.device_count())]
    return {
        "cards": "; ".join(f"{card.name}, {card.memory_bytes / 2**30:.0f} GiB, {card.sm}" for card in cards),
        "driver": _driver(),
        "CUDA of torch": torch.version.cuda,
        **versions(),
        "commit": git_commit(),
    }


def _driver() -> str:
    """The version of the driver as nvidia-smi prints it, or `unknown`."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.splitlines()[0].strip() if done.stdout else "unknown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The page of a part of `scripts/gpu-check`, and what it says of the machine."""

import subprocess
from typing import Any


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

    from stacklab.run.environment import git_commit, versions
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

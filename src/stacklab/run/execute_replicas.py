"""Executes the runs of one group together in this process, as replica_group.py says. stacking.py decides which runs can
share a group."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from stacklab.base.errors import BusyError, StacklabError
from stacklab.base.locks import exclusive
from stacklab.model.count import FLOAT_BYTES
from stacklab.run.environment import prepare_process
from stacklab.run.execute import Execution
from stacklab.run.paths import RunPaths
from stacklab.run.replica_group import Ended, GroupMember, ReplicaGroup
from stacklab.run.spec import RunSpec
from stacklab.run.stacking import most_members
from stacklab.run.store import forget_failure, read_spec, read_status
from stacklab.train.device import DeviceChoice, choose, pick_device

THREADS = 1
"""With more, the last digits of a replica could depend on the others in the stack."""


def execute_together(folders: Sequence[Path], *, stop: Callable[[], bool], ended: Ended) -> None:
    """Execute every run to its end, each from its own last checkpoint. Finished runs are skipped.

    The runs share no step counter: a run that is solved or has diverged leaves the stack, a run resumed from a later
    step trains beside the others, and no run changes a digit of another (on a card: but for rounding). Where the memory
    of a card does not suffice for all of them, one stack is trained after the other.
    """
    try:
        with contextlib.ExitStack() as held:
            for folder in sorted(folders):
                held.enter_context(exclusive(folder, what=f"run {folder.name}", give_up=stop))
            waiting = _readable(folders, ended)
            if waiting:
                _execute_held(waiting, stop, ended)
    except BusyError:
        # Stopped while another process held one of the runs.
        for folder in folders:
            ended(folder, "stopped", "")


def _readable(folders: Sequence[Path], ended: Ended) -> list[tuple[Path, RunSpec]]:
    """The runs that have not ended, with their specs."""
    waiting = []
    for folder in folders:
        paths = RunPaths(folder)
        if paths.result.exists():
            ended(folder, *_end_of(paths))
            continue
        try:
            waiting.append((folder, read_spec(paths)))
        except StacklabError as error:
            ended(folder, "failed", str(error))
    return waiting


def _end_of(paths: RunPaths) -> tuple[str, str]:
    try:
        return read_status(paths), ""
    except StacklabError as error:
        return "failed", str(error)


def _execute_held(waiting: Sequence[tuple[Path, RunSpec]], stop: Callable[[], bool], ended: Ended) -> None:
    """Execute runs whose folders are held by this process."""
    first = waiting[0][1]
    prepare_process(THREADS)
    choice = choose(first.train.model_copy(update={"compile": "off"}), pick_device(first.train.device))
    if choice.precision == "fp16":
        # Each run has a loss scale of its own, for which a stack has no step.
        for folder, spec in waiting:
            _execute_alone(folder, spec, stop, ended)
        return
    size = _stack_size(first, choice) or len(waiting)
    for start in range(0, len(waiting), size):
        part = [folder for folder, _ in waiting[start : start + size]]
        if start and stop():
            for folder in part:
                ended(folder, "stopped", "")
            continue
        members = [member for folder in part if (member := _open_member(folder, ended))]
        ReplicaGroup(members, stop, ended).run()


def _stack_size(spec: RunSpec, choice: DeviceChoice) -> int | None:
    """How many such runs the memory of the card takes as a stack; None on other devices, where the engine decides."""
    if not is_card(choice.device):
        return None
    card_bytes = torch.cuda.get_device_properties(choice.device).total_memory
    product_bytes = FLOAT_BYTES if choice.product_dtype is None else choice.product_dtype.itemsize
    return most_members(spec, card_bytes=card_bytes, product_bytes=product_bytes)


def is_card(device: torch.device) -> bool:
    """Whether a device has memory of its own, which limits a stack."""
    return device.type == "cuda"


def _execute_alone(folder: Path, spec: RunSpec, stop: Callable[[], bool], ended: Ended) -> None:
    paths = RunPaths(folder)
    try:
        outcome = Execution(spec, paths, stop).run()
    except StacklabError as error:
        ended(folder, "failed", str(error))
        return
    forget_failure(paths)
    ended(folder, outcome.kind, outcome.reason)


def _open_member(folder: Path, ended: Ended) -> GroupMember | None:
    """The run, ready to start; None for one that cannot be read, which does not affect the others."""
    try:
        return GroupMember(folder)
    except StacklabError as error:
        ended(folder, "failed", str(error))
        return None

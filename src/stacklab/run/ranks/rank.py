"""The program of one rank, started by torchrun once per card:
`python -m stacklab.run.ranks.rank FOLDER THREADS REPORTS`.

Standard input says when to leave: at its end, which is also the end of the launcher (`ranks`), the ranks save and exit.
A rank that fails leaves its error in the folder REPORTS.
"""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch

from stacklab.base.errors import CheckpointError
from stacklab.base.files import write_json
from stacklab.run.environment import prepare_process
from stacklab.run.execute import Execution, execute_first
from stacklab.run.paths import RunPaths
from stacklab.run.store import read_spec
from stacklab.train.checkpoint import load_checkpoint
from stacklab.train.device import pick_device
from stacklab.train.distributed import PeerLostError, World, joined
from stacklab.train.loop import LoopCallbacks
from stacklab.train.schedule import solved


class _Memory:
    """The Recorder of a rank other than the first: it keeps the evaluations, on which the end of the run may depend."""

    def __init__(self, evals: list[dict[str, Any]]) -> None:
        self.evals = evals

    def record_step(self, row: dict[str, Any]) -> None:
        pass

    def record_evaluation(self, row: dict[str, Any]) -> None:
        self.evals.append(row)

    def record_time(self, step: int, *, seconds: float, tokens: int, loss: float) -> None:
        pass


def follow(paths: RunPaths, world: World, *, threads: int, stop: Callable[[], bool]) -> None:
    """Take part in every step of the run, from the first rank's first step to its last.

    Raises CheckpointError when this rank cannot begin where the first one does.
    """
    spec = read_spec(paths)
    prepare_process(threads)
    execution = Execution(spec, paths, stop, world)
    begin = world.receive()
    # Not before: until then another process may have written the checkpoint.
    start = load_checkpoint(paths.checkpoint, execution.trainer, run_id=paths.run_id) if begin["step"] else 0
    if start != begin["step"]:
        raise CheckpointError(f"{paths.checkpoint}: step {start}, but the first rank begins at {begin['step']}")
    memory = _Memory(begin["evals"])
    callbacks = LoopCallbacks(
        get_batch=execution.feed.batch,
        evaluate=world.receive,
        save_checkpoint=lambda step: None,
        should_stop=lambda: world.any(stop()),
        is_solved=lambda: solved(spec.train.stop, memory.evals),
    )
    execution.train(callbacks, memory, start=start, first_loss=begin["first_loss"])


LAST_SECONDS = 60.0
"""What a rank has for its step and its checkpoint once torchrun, which ends the ranks of a lost one, is gone."""

PEER_SECONDS = 10.0
"""How long a rank that lost another one waits to be ended."""


def main() -> NoReturn:
    folder, threads, reports = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    leaving = threading.Event()
    threading.Thread(target=_watch_input, args=(leaving,), daemon=True).start()
    code = 1
    try:
        _take_part(folder, threads, leaving)
        code = 0
    except PeerLostError:
        # Another rank says why, or was killed: torchrun, which ends this one, should see that one first.
        time.sleep(PEER_SECONDS)
    except BaseException as error:  # noqa: BLE001  the launcher raises it again
        _report(error, reports)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # The destructors of NCCL may wait for a rank that is gone.
        os._exit(code)


def _take_part(folder: Path, threads: int, leaving: threading.Event) -> None:
    paths = RunPaths(folder)
    device = pick_device(read_spec(paths).train.device)
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    with joined(device.type) as world:
        if world.rank == 0:
            execute_first(folder, world, threads=threads, stop=leaving.is_set)
        else:
            follow(paths, world, threads=threads, stop=leaving.is_set)
        # The first rank still answers and writes when the others have trained.
        world.wait()


def _watch_input(leaving: threading.Event) -> None:
    torchrun = os.getppid()
    while os.read(0, 1):
        pass
    leaving.set()
    while os.getppid() == torchrun:
        time.sleep(1)
    time.sleep(LAST_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _report(error: BaseException, reports: Path) -> None:
    row = {
        "time": time.time(),
        "kind": type(error).__name__,
        "lineage": [kind.__name__ for kind in type(error).__mro__],
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }
    with contextlib.suppress(Exception):
        write_json(reports / f"{os.environ['RANK']}.json", row)


if __name__ == "__main__":
    main()

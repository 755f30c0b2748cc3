"""A short measured calibration: seconds per training step of a run on this machine."""

import statistics
import time

import torch

from stacklab.data.batches import batch_indices
from stacklab.data.prepared import PreparedData
from stacklab.model.init import build
from stacklab.run.environment import prepare_process
from stacklab.run.spec import RunSpec
from stacklab.train.precision import pick_device
from stacklab.train.step import Trainer

WARM_UP, MEASURED = 1, 3


def seconds_per_step(spec: RunSpec, data: PreparedData, *, threads: int) -> float:
    """Median over a few real steps after one to warm up. Nothing is written."""
    prepare_process(threads)
    trainer = Trainer(build(spec.model, seed=spec.seed, device=str(pick_device())), spec.train, spec.seed)
    seconds = []
    for step in range(WARM_UP + MEASURED):
        indices = batch_indices(spec.seed, step, batch_size=spec.train.batch_size, num_blocks=data.train.num_blocks)
        began = time.perf_counter()
        trainer.step(step, torch.from_numpy(data.train.get(indices)))
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[WARM_UP:])

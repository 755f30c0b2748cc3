"""The learning rate as a function of the step."""

import math

from stacklab.train.spec import TrainSpec


def learning_rate(spec: TrainSpec, step: int) -> float:
    """The rate of step number `step`, counted from 0: warm-up starts at zero and the last step is just above the end
    of the cosine, as in the source's training log."""
    peak, schedule = spec.optimizer.learning_rate, spec.schedule
    if step < schedule.warmup_steps:
        return peak * step / schedule.warmup_steps
    if schedule.kind == "constant":
        return peak
    progress = (step - schedule.warmup_steps) / max(1, spec.steps - schedule.warmup_steps)
    cosine = 0.5 * (1.0 + math.cos(math.pi * progress))
    return peak * (schedule.final_ratio + (1.0 - schedule.final_ratio) * cosine)

"""The cost of a run, by part, and the device that it trains on. No torch here."""

from stacklab.base.spec import Spec
from stacklab.run.spec import RunSpec


class RunCost(Spec):
    """Seconds of the parts of a run, and the peak memory of its process in bytes."""

    start: float
    step: float
    evaluation: float
    finish: float
    peak_bytes: int

    def seconds(self, spec: RunSpec) -> float:
        """Seconds of the whole run."""
        steps = spec.train.steps
        evaluations = -(-steps // spec.evaluate.every) + 1  # from step 0 on, and at the end
        return self.start + steps * self.step + evaluations * self.evaluation + self.finish


class DeviceFacts(Spec):
    """What a run trains on; `refused` is why it cannot be, or empty.

    card: the GPU's name, and free_bytes what is free of its memory; empty and 0 on other devices.
    """

    device: str = ""
    precision: str = ""
    compiled: bool = False
    card: str = ""
    free_bytes: int = 0
    refused: str = ""

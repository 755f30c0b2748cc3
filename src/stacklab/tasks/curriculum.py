"""What training changes with the step; evaluation never sees it."""

from typing import Literal

from pydantic import Field

from stacklab.base.spec import Spec


class AnnealedIdentity(Spec):
    """A share of the sequences has the fixed map from template to label, falling linearly from `start` to 0.

    It helps in-context template matching off its plateau. It changes what training sees, so it must be the same for all
    depths.
    """

    kind: Literal["annealed-identity"] = "annealed-identity"
    start: float = Field(default=0.9, ge=0, le=1)
    steps: int = Field(default=4000, gt=0)

    def share(self, step: int) -> float:
        """The share at training step 0, 1, 2, ...

        >>> [AnnealedIdentity(start=0.8, steps=4).share(step) for step in (0, 2, 4, 9)]
        [0.8, 0.4, 0.0, 0.0]
        """
        return self.start * max(0.0, 1 - step / self.steps)

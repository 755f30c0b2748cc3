"""Settings of a corpus of generated stories; without torch and numpy."""

from typing import Literal

from pydantic import Field

from stacklab.base.spec import Spec


class StoriesSpec(Spec):
    """Generated stories, determined by `corpus_seed`.

    Raises pydantic.ValidationError when `records` is not positive.
    """

    kind: Literal["generated-stories"] = "generated-stories"
    records: int = Field(default=20_000, gt=0)
    corpus_seed: int = 0

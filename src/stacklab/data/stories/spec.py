"""What a corpus of generated stories is made of; torch-free, numpy-free."""

from typing import Literal

from pydantic import Field

from stacklab.base.spec import Spec


class StoriesSpec(Spec):
    """Stories that are made, not read, fixed by `corpus_seed`.

    Raises pydantic.ValidationError when `records` is not positive.
    """

    kind: Literal["generated-stories"] = "generated-stories"
    records: int = Field(default=20_000, gt=0)
    corpus_seed: int = 0

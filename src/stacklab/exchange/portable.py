"""A model as a plain value, wherever it comes from: its stack, its tensors, its tokenizer, what is known of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from stacklab.base.errors import TokenizerError
from stacklab.data.tokenizers.files import TokenizerFile
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.train.checkpoint import load_weights

PADDING_ROWS, PADDING_SHARE, LEAST_SHARE = 127, 100, 8
"""A table may have up to so many rows that no token uses, or one of so many; of a small table one of the last."""


@dataclass(frozen=True)
class Portable:
    """tensors: by our names, float32. tokenizer: None for a model that is asked with ids.

    start_id, end_id: what stands before and after a text; None where nothing does. origin: facts for people.
    notes: what was decided for it on the way in, in sentences; not kept.
    """

    name: str
    spec: ModelSpec
    tensors: dict[str, Tensor]
    tokenizer: TokenizerFile | None
    start_id: int | None
    end_id: int | None
    origin: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def build(self, where: Path) -> Transformer:
        """The model with its weights."""
        model = Transformer(self.spec)
        load_weights(model, self.tensors, where)
        return model


def check_vocabulary(tokenizer: TokenizerFile, spec: ModelSpec) -> int:
    """How many rows of the table no token uses: many tables are padded to a round number.

    Raises TokenizerError for a tokenizer that is not this model's: its ids and the rows differ by more than padding.
    """
    ids, rows = max(tokenizer.load().get_vocab().values(), default=-1) + 1, spec.vocab_size or 0
    if not 0 <= rows - ids <= max(min(PADDING_ROWS, rows // LEAST_SHARE), rows // PADDING_SHARE):
        raise TokenizerError(
            f"{tokenizer.name}: the tokenizer has {ids} ids, the model's vocabulary has {rows}; this is not the "
            "model's tokenizer"
        )
    return rows - ids

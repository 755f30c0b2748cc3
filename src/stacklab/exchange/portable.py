"""A model as a plain value, whatever its source: its stack, its tensors, its tokenizer and its origin."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from stacklab.base.errors import TokenizerError
from stacklab.data.tokenizers.files import TokenizerFile
from stacklab.data.tokenizers.library import check_probe, encode_texts
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.train.checkpoint import load_weights

PADDING_ROWS, PADDING_SHARE, LEAST_SHARE = 127, 100, 8
"""A table may have PADDING_ROWS unused rows (in small tables, one row in LEAST_SHARE), or one in PADDING_SHARE."""


@dataclass(frozen=True)
class Portable:
    """tensors: by our names, float32. tokenizer: None for a model whose inputs are ids.

    start_id, end_id: the ids before and after a text; None where there is none. origin: its source, for the reader.
    notes: what the import decided, in sentences; not saved.
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
    """Number of rows of the table that no token uses: many tables are padded to a round number.

    Raises TokenizerError for another model's tokenizer: its ids and the rows differ by more than padding; and for one
    whose post-processor adds ids beyond the rows, or that runs away on a probe.
    """
    loaded, rows = tokenizer.load(), spec.vocab_size or 0
    ids = max(loaded.get_vocab().values(), default=-1) + 1
    if not 0 <= rows - ids <= max(min(PADDING_ROWS, rows // LEAST_SHARE), rows // PADDING_SHARE):
        raise TokenizerError(
            f"{tokenizer.name}: the tokenizer has {ids} ids, the model's vocabulary has {rows}; this is not the "
            "model's tokenizer"
        )
    check_probe(tokenizer.text, tokenizer.name)
    # A post-processor states the ids of its special tokens itself.
    added = encode_texts(loaded, [""], tokenizer.name, special=True)[0].ids
    if outside := [token for token in added if token >= rows]:
        raise TokenizerError(
            f"{tokenizer.name}: the post-processor adds the id {outside[0]} to every text, outside the model's "
            f"vocabulary of {rows}; correct its special_tokens"
        )
    return rows - ids

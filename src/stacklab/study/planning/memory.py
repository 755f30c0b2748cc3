"""The memory of an arm's run on this machine."""

from stacklab.data.spec import DataSpec
from stacklab.model.card_memory import estimate_card_memory
from stacklab.model.count import Memory, estimate_memory
from stacklab.study.engines.machine import trains_on_card
from stacklab.study.spec.study import BaseSpec


def memory_of(config: BaseSpec, *, cards: int) -> Memory:
    """Peak memory of training this configuration, besides that of any process; on a GPU, what torch allocates on each
    of the `cards` that train a run.

    Raises SpecError for a batch that the cards cannot share evenly.
    """
    train, model = config.train, config.model
    shape = {
        "micro_batch": train.micro_batch_on(cards),
        "context": config.data.block_size,
        "loss_chunk_rows": train.loss_chunk_rows,
        "optimizer_tensors": len(train.optimizer.state),
        "masks": train.micro_batch_on(cards) if _tells_records_apart(config) else 0,
    }
    if not trains_on_card(train.device):
        return estimate_memory(model, **shape)
    dropout = bool(model.dropout or model.attention_dropout)
    return estimate_card_memory(model, **shape, product_bytes=4 if train.precision == "fp32" else 2, dropout=dropout)


def _tells_records_apart(config: BaseSpec) -> bool:
    return isinstance(config.data, DataSpec) and config.data.packing == "documents"

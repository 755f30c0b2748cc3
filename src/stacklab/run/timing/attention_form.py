"""The settings on which the time of an attention layer depends. No torch here."""

from stacklab.base.spec import Spec, added
from stacklab.data.spec import Packing
from stacklab.model.positions.kinds import LearnedPositions
from stacklab.model.spec import ModelSpec, NormSpec
from stacklab.train.spec import Device, Precision


class AttentionForm(Spec):
    """One attention layer in training, written as a stack of that layer without a feed-forward.

    micro_batch: sequences at a time. context: positions per sequence. packing: as in DataSpec.
    """

    model: ModelSpec
    micro_batch: int
    context: int
    precision: Precision
    device: Device = added("auto")
    packing: Packing = added("stream")


def attention_forms(
    model: ModelSpec,
    *,
    micro_batch: int,
    context: int,
    precision: Precision,
    device: Device,
    packing: Packing = "stream",
) -> tuple[AttentionForm, ...]:
    """The form of every layer, bottom first. Layers of equal cost have equal forms."""
    # Other positions are added to the stream before the layers.
    position = model.position.same_cost() if model.position.acts_in_attention else LearnedPositions()
    return tuple(
        AttentionForm(
            model=ModelSpec(
                vocab_size=1,
                d_model=model.d_model,
                num_layers=1,
                num_heads=layer.num_heads,
                num_kv_heads=layer.num_kv_heads,
                d_ff=0,
                mask=model.mask,
                window=layer.window,
                context_length=1,
                position=position,
                attention_scale=model.attention_scale,
                attention_identity=model.attention_identity,
                linear_bias=model.linear_bias,
                attention_dropout=model.attention_dropout,
                qk_norm=model.qk_norm,
                # Of no effect on attention otherwise.
                norm=NormSpec() if model.qk_norm == "none" else NormSpec(kind=model.norm.kind, bias=model.norm.bias),
            ),
            micro_batch=micro_batch,
            context=context,
            precision=precision,
            device=device,
            packing=packing,
        )
        for layer in model.layers
    )

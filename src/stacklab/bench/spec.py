"""The model and the training of `stacklab bench step`."""

from stacklab.base.spec import Spec
from stacklab.model.spec import ModelSpec
from stacklab.train.spec import Device, Precision, TrainSpec


class StepSpec(Spec):
    """One training step of the depth study's model with the real vocabulary, dropout as in the source.

    batch, context: sequences and positions of a batch. steps: steps of a measurement; on a card several, since it works
    on one step while the next is launched.
    """

    layers: int
    d_model: int = 384
    batch: int = 4
    context: int = 512
    dropout: float = 0.1
    threads: int = 1
    device: Device = "cpu"
    precision: Precision = "auto"
    steps: int = 1

    @property
    def model(self) -> ModelSpec:
        return ModelSpec(
            vocab_size=151_665,
            d_model=self.d_model,
            num_layers=self.layers,
            num_heads=8,
            context_length=max(512, self.context),
            dropout=self.dropout,
            attention_dropout=self.dropout,
        )

    @property
    def train(self) -> TrainSpec:
        """Blocks are not compiled; the contestants that compile them say so."""
        return TrainSpec(batch_size=self.batch, device=self.device, precision=self.precision, compile="off")

    @property
    def tokens(self) -> int:
        return self.batch * self.context

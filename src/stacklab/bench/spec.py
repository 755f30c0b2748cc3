"""The model and the training of `stacklab bench step`."""

from stacklab.base.spec import Spec
from stacklab.model.spec import ModelSpec
from stacklab.train.spec import TrainSpec


class StepSpec(Spec):
    """One training step of the depth study's model with the real vocabulary, dropout as in the source."""

    layers: int
    batch: int = 4
    context: int = 512
    dropout: float = 0.1
    threads: int = 1

    @property
    def model(self) -> ModelSpec:
        return ModelSpec(
            vocab_size=151_665,
            d_model=384,
            num_layers=self.layers,
            num_heads=8,
            context_length=512,
            dropout=self.dropout,
            attention_dropout=self.dropout,
        )

    @property
    def train(self) -> TrainSpec:
        return TrainSpec(batch_size=self.batch)

    @property
    def tokens(self) -> int:
        return self.batch * self.context

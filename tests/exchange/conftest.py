"""What tests of models on their way in and out share."""

from tests.run.conftest import bench

from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer

__all__ = ["bench", "small"]


def small(spec: ModelSpec) -> Transformer:
    """Stands for Transformer: none of thousands of layers is made only to find that it has too many."""
    assert spec.num_layers < 9
    return Transformer(spec)

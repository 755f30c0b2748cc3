"""The stack: embeddings, blocks, final norm, head."""

import random
from typing import NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stacklab.base.streams import stream_seed
from stacklab.model.block import Block
from stacklab.model.cache import Decoding
from stacklab.model.linear import Linear, build_norm
from stacklab.model.ops.dropout import GENERATOR, dropout, seed_generator
from stacklab.model.ops.linear_cross_entropy import tied_lookup
from stacklab.model.parametrisation import logit_multiplier
from stacklab.model.positions.build import position_rows
from stacklab.model.residual import PLACEMENTS
from stacklab.model.sharing import SubLayer, sources
from stacklab.model.spec import ModelSpec


class Computation(NamedTuple):
    """How a stack computes; its parameters stay as they are.

    product_dtype: number format of the products of linear maps and of the head; None is that of the weights.
    stream_dtype: format of the residual stream; None is that of the embeddings.
    uses_generator: dropout masks come from the device's generator, seeded once per forward pass, and not from a seed
    for each place.
    """

    product_dtype: torch.dtype | None = None
    stream_dtype: torch.dtype | None = None
    uses_generator: bool = False


class Transformer(nn.Module):
    """A stack of layers between a table and a head. It returns hidden states; the loss and the logits apply the head.

    `forward` takes the seed of a dropout stream when training and None when evaluating: there is no train/eval mode
    to forget, and no global random state.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        assert spec.vocab_size is not None, "vocab_size is filled in when a study is planned"
        self.spec = spec
        self.token_embedding = nn.Embedding(spec.vocab_size, spec.d_model)
        self.token_embedding.weight.requires_grad_(spec.token_table == "trained")
        self.position_embedding = position_rows(spec.position, context_length=spec.context_length, d_model=spec.d_model)
        normed = PLACEMENTS[spec.norm.placement].embedding_norm
        self.embedding_norm = build_norm(spec.norm, spec.d_model) if normed else nn.Identity()
        self.blocks = _blocks(spec)
        self.logit_multiplier = logit_multiplier(spec)
        self.computation = Computation()
        self.final_norm = build_norm(spec.norm, spec.d_model) if spec.norm.has_final else nn.Identity()
        self.head = None if spec.tie_embeddings else nn.Linear(spec.d_model, spec.vocab_size, bias=False)

    @property
    def head_weight_VD(self) -> Tensor:
        return self.token_embedding.weight if self.head is None else self.head.weight

    def compute_with(self, computation: Computation) -> None:
        """Set how this stack computes from now on."""
        self.computation = computation
        for part in self.modules():
            if isinstance(part, Linear):
                part.compute_dtype = computation.product_dtype

    def forward(
        self,
        ids_BT: Tensor,
        dropout_seed: int | None = None,
        decoding: Decoding | None = None,
        positions_BT: Tensor | None = None,
    ) -> Tensor:
        """ids_BT -> hidden states x_BTD after the final norm, from which the head's table alone computes the logits.

        With `decoding` the ids are the newest ones of growing sequences, whose earlier keys and values are cached.
        positions_BT: of ids that are packed records, the position of each in its record, which is all that it sees;
        None for sequences that are one record each.
        """
        return self._through(self.token_embedding(ids_BT), dropout_seed, decoding, positions_BT)

    def with_head(
        self, ids_BT: Tensor, dropout_seed: int | None, positions_BT: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Hidden states, and the head's table for a loss: a tied table then has one gradient instead of two."""
        if self.head is not None:
            return self(ids_BT, dropout_seed, None, positions_BT), self.head.weight
        x_BTD, table_VD = tied_lookup(self.token_embedding.weight, ids_BT)
        return self._through(x_BTD, dropout_seed, None, positions_BT), table_VD

    def _through(
        self, rows_BTD: Tensor, dropout_seed: int | None, decoding: Decoding | None, positions_BT: Tensor | None
    ) -> Tensor:
        """From the token rows to the hidden states for the head."""
        if decoding is not None:
            x_BTD = self._placed(rows_BTD, decoding.positions_BT)
        else:
            x_BTD = self._from_first(rows_BTD) if positions_BT is None else self._placed(rows_BTD, positions_BT)
        if self.computation.stream_dtype is not None:
            x_BTD = x_BTD.to(self.computation.stream_dtype)
        if dropout_seed is not None:
            x_BTD = self._through_layers(x_BTD, dropout_seed, positions_BT)
        elif decoding is None:
            for block in self.blocks:
                x_BTD = block(x_BTD, None, positions_BT=positions_BT)
        else:
            for index, block in enumerate(self.blocks):
                # Not `block(...)`: a compiled block would be compiled anew for every length.
                x_BTD = block.forward(x_BTD, None, decoding=decoding.of_layer(index))
        return self._for_head(x_BTD)

    def _through_layers(self, x_BTD: Tensor, dropout_seed: int, positions_BT: Tensor | None) -> Tensor:
        """Through all layers in training: with dropout, and without the layers that are dropped."""
        addressed = not self.computation.uses_generator
        if not addressed:
            seed_generator(x_BTD.device, stream_seed(dropout_seed, "generator"))
        x_BTD = dropout(x_BTD, self.spec.dropout, stream_seed(dropout_seed, "embedding") if addressed else GENERATOR)
        for index, (block, layer) in enumerate(zip(self.blocks, self.spec.layers, strict=True)):
            seed = stream_seed(dropout_seed, "layer", index)
            site = seed if addressed else GENERATOR
            if layer.layer_drop == 0.0:
                x_BTD = block(x_BTD, site, positions_BT=positions_BT)
            elif random.Random(stream_seed(seed, "layer_drop")).random() >= layer.layer_drop:
                x_BTD = block(x_BTD, site, 1.0 / (1.0 - layer.layer_drop), positions_BT=positions_BT)
        return x_BTD

    def logits(self, hidden_BTD: Tensor) -> Tensor:
        return F.linear(hidden_BTD, self.head_weight_VD)

    def embed(self, ids_BT: Tensor) -> Tensor:
        """The input of the first layer, without dropout."""
        return self._from_first(self.token_embedding(ids_BT))

    def _from_first(self, rows_BTD: Tensor) -> Tensor:
        return self._placed(rows_BTD, torch.arange(rows_BTD.shape[1], device=rows_BTD.device))

    def _for_head(self, x_BTD: Tensor) -> Tensor:
        """Apply the final norm and the logit multiplier: to the states, since the loss never holds the logits."""
        hidden_BTD: Tensor = self.final_norm(x_BTD)
        return hidden_BTD if self.logit_multiplier == 1.0 else hidden_BTD * self.logit_multiplier

    def _placed(self, rows_BTD: Tensor, positions: Tensor) -> Tensor:
        """The token rows with their positions added, after the norm of embeddings if there is one."""
        if self.position_embedding is not None:
            rows_BTD = rows_BTD + self.position_embedding(positions).to(rows_BTD.dtype)
        placed_BTD: Tensor = self.embedding_norm(rows_BTD)
        return placed_BTD


def _blocks(spec: ModelSpec) -> nn.ModuleList:
    """A block for each executed layer. Shared sub-layers are the same modules, named after the first that has them."""
    blocks = [Block(spec, layer) for layer in spec.layers]
    for part in get_args(SubLayer):
        for block, source in zip(blocks, sources(spec.share, part, len(blocks)), strict=True):
            if block is not blocks[source]:
                block.share(part, blocks[source])
    return nn.ModuleList(blocks)

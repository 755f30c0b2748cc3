"""Compiles a blueprint into the weights of an ordinary model: attention only, no norms, unscaled scores."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from stacklab.interp.construct.blueprint import Blueprint, Floats, Head, Residual, Tables, Term
from stacklab.model.block import Block
from stacklab.model.positions.rows import FactoredRows
from stacklab.model.spec import ModelSpec, NormSpec
from stacklab.model.transformer import Transformer
from stacklab.tasks.batch import Ids


def model_spec(plan: Blueprint) -> ModelSpec:
    """The stack that the blueprint needs: causal, `d_ff: 0`, an untied head, and the width that its heads need."""
    counts = [len(layer.heads) for layer in plan.layers]
    return ModelSpec.model_validate(
        {
            "vocab_size": plan.exercise.vocab_size,
            "d_model": _width(plan, counts),
            "num_layers": len(plan.layers),
            "num_heads": counts,
            "d_ff": 0,
            "context_length": plan.exercise.length,
            "position": _position(plan),
            "attention_scale": "none",
            "tie_embeddings": False,
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "norm": NormSpec(placement="none"),
        }
    )


@torch.no_grad()
def compiled(plan: Blueprint, *, dtype: torch.dtype = torch.float32) -> Transformer:
    """The model, with the blueprint's numbers rounded to `dtype` once."""
    spec = model_spec(plan)
    with torch.device("meta"):
        model = Transformer(spec)
    model = model.to_empty(device="cpu").to(dtype)
    for parameter in model.parameters():
        parameter.zero_()
    _fill(model.token_embedding.weight, plan.residual, plan.tokens)
    if isinstance(model.position_embedding, FactoredRows):
        assert plan.groups is not None, "a blueprint with a period has groups"
        _fill(model.position_embedding.slot.weight, plan.residual, plan.positions)
        _fill(model.position_embedding.group.weight, plan.residual, plan.groups)
    elif isinstance(model.position_embedding, nn.Embedding):
        _fill(model.position_embedding.weight, plan.residual, plan.positions)
    for block, layer in zip(model.blocks, plan.layers, strict=True):
        assert isinstance(block, Block)
        _fill_heads(block, plan.residual, layer.heads)
    _fill(model.head_weight_VD, plan.residual, plan.readout)
    return model


def _position(plan: Blueprint) -> dict[str, object]:
    if plan.period is not None:
        return {"kind": "factored", "period": plan.period}
    return {"kind": "learned" if plan.positions else "none"}


def _fill(table: Tensor, residual: Residual, tables: Tables) -> None:
    for name, rows in tables.items():
        table[: len(rows), torch.from_numpy(residual.index(name))] = torch.from_numpy(rows).to(table.dtype)


def _fill_heads(block: Block, residual: Residual, heads: Sequence[Head]) -> None:
    size = block.attention.output.weight.shape[0] // len(heads)
    qkv_3HKD = block.attention.query_key_value.weight.view(3, len(heads), size, -1)
    out_DHK = block.attention.output.weight.view(-1, len(heads), size)
    for number, head in enumerate(heads):
        at = 0
        for term in head.terms:
            query, key = _term_weights(term, residual)
            here = slice(at, at + len(query))
            _assign(qkv_3HKD[0, number, here], residual.index(*term.query), query)
            _assign(qkv_3HKD[1, number, here], residual.index(*term.key), key)
            at += len(query)
        at = 0
        for each in head.moves:
            here = slice(at, at + len(each.read))
            _assign(qkv_3HKD[2, number, here], residual.index(each.source), each.read)
            _assign(out_DHK[:, number, here].T, residual.index(each.target), each.write.T)
            at += len(each.read)


def _assign(rows_KD: Tensor, columns: Ids, values: Floats) -> None:
    rows_KD[:, torch.from_numpy(columns)] = torch.from_numpy(np.ascontiguousarray(values)).to(rows_KD.dtype)


def _term_weights(term: Term, residual: Residual) -> tuple[Floats, Floats]:
    """The weights of queries and keys for a term, each [width of the query, its width]."""
    queries, keys = len(residual.index(*term.query)), len(residual.index(*term.key))
    form = np.eye(queries) if term.form is None else term.form
    assert form.shape == (queries, keys), f"a form of {queries} by {keys} is needed, got {form.shape}"
    return term.weight * np.eye(queries), form


def _width(plan: Blueprint, counts: Sequence[int]) -> int:
    """The least d_model that holds the subspaces, is divisible by all numbers of heads, and has wide enough heads."""
    step = math.lcm(*counts)
    needed = plan.residual.width
    for layer in plan.layers:
        for head in layer.heads:
            scores = sum(len(_term_weights(term, plan.residual)[0]) for term in head.terms)
            moved = sum(len(each.read) for each in head.moves)
            needed = max(needed, len(layer.heads) * max(scores, moved))
    return -(-needed // step) * step

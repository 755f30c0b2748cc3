"""Layers that share weights: against ALBERT, and against unshared stacks whose layers have copies of the weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tests.model.peers import disturb, fill, gradient
from tests.train.trainers import PAIR, PLAIN

from stacklab.interp.attention_maps import attention_maps
from stacklab.model.count import count_parameters, estimate_memory, flops_per_token
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.run.coordinate_check import outputs
from stacklab.train.checkpoint import load_checkpoint, read_weights, save_checkpoint
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer

SMALL: dict[str, Any] = {
    "vocab_size": 29,
    "d_model": 16,
    "num_layers": 4,
    "num_heads": 2,
    "context_length": 8,
    "init": {"std": 0.3},
}
IDS_BT = PAIR[0]
SHARED: list[dict[str, Any]] = [
    {"share": "all"},
    {"share": [0, 1, 1, 0], "linear_bias": True},
    {"share": {"cycle": 2}, "layer_drop": [0.5, 0.0, 0.0, 0.9], "window": [2, None, 2, None]},
    {"share": "all", "norm": {"placement": "sandwich"}, "residual": "rezero", "qk_norm": "head"},
    {"share": {"part": "attention", "groups": 2}, "d_ff": [8, 0, 24, 8], "norm": {"placement": "post"}},
    {"share": {"part": "feed_forward", "blocks": [0, 1, 0, 0]}, "num_heads": [1, 2, 4, 8], "attention_identity": 0.1},
]


def spec_of(change: dict[str, Any]) -> ModelSpec:
    return ModelSpec.model_validate(SMALL | change)


def held_by(spec: ModelSpec, name: str) -> str:
    """The name in the shared stack of a tensor of the unshared one, from the list of blocks alone."""
    share = spec.share
    if share is None or not name.startswith("blocks.") or name.endswith("_factor"):
        return name
    _, layer, rest = name.split(".", 2)
    if share.part != "layer" and not rest.startswith(share.part):
        return name
    blocks = share.of_layers(spec.num_layers)
    return f"blocks.{blocks.index(blocks[int(layer)])}.{rest}"


def with_copies(model: Transformer) -> Transformer:
    """The stack without sharing, whose layers have copies of the weights that the layers of `model` use."""
    alone = build(model.spec.model_copy(update={"share": None}), seed=9).to(model.token_embedding.weight.dtype)
    with torch.no_grad():
        for name, value in alone.named_parameters():
            value.copy_(model.get_parameter(held_by(model.spec, name)))
    return alone


@pytest.mark.parametrize("seed", [None, 3, 4])
@pytest.mark.parametrize("change", SHARED, ids=str)
def test_it_computes_what_layers_with_copies_of_the_weights_do(change: dict[str, Any], seed: int | None) -> None:
    """Bit for bit, dropout and dropped layers included, which are those of the executed layer; gradients add up."""
    model = build(spec_of(change), seed=1).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.linspace(-0.1, 0.2, parameter.numel()).view_as(parameter)
    alone = with_copies(model)
    actual, expected = (each.logits(each(IDS_BT, seed)) for each in (model, alone))
    assert torch.equal(actual, expected)
    direction = torch.linspace(-1, 2, expected.numel(), dtype=torch.float64).view_as(expected)
    actual.backward(direction)
    expected.backward(direction)
    sums = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    for name, value in alone.named_parameters():
        sums[held_by(model.spec, name)] += 0 if value.grad is None else value.grad
    for name, value in model.named_parameters():
        own = torch.zeros_like(value) if value.grad is None else value.grad
        torch.testing.assert_close(own, sums[name], msg=lambda text, name=name: f"{name}: {text}")


THEIRS = {
    "attention_norm": "attention.LayerNorm",
    "attention.output": "attention.dense",
    "feed_forward_norm": "full_layer_layer_norm",
    "feed_forward.expand": "ffn",
    "feed_forward.output": "ffn_output",
}


def as_albert(ours: dict[str, torch.Tensor], firsts: list[int]) -> dict[str, torch.Tensor]:
    """The tensors of our layers under ALBERT's names. firsts: the first layer of each group."""
    named = {}
    for group, layer in enumerate(firsts):
        prefix = f"albert_layer_groups.{group}.albert_layers.0"
        for kind in ("weight", "bias"):
            parts = ours.pop(f"blocks.{layer}.attention.query_key_value.{kind}").chunk(3)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                named[f"{prefix}.attention.{name}.{kind}"] = part
            for mine, theirs in THEIRS.items():
                named[f"{prefix}.{theirs}.{kind}"] = ours.pop(f"blocks.{layer}.{mine}.{kind}")
    assert not any(name.startswith("blocks.") for name in ours)
    return named


@pytest.mark.parametrize(("layers", "groups"), [(4, 1), (4, 2), (5, 2), (6, 4), (3, 3)])
def test_hidden_states_and_gradients_are_those_of_albert(layers: int, groups: int) -> None:
    albert = pytest.importorskip("transformers.models.albert.modeling_albert")
    fields = {"num_layers": layers, "norm": {"placement": "post", "epsilon": 1e-12}, "mask": "full"}
    fields |= {"linear_bias": True, "activation": "gelu_tanh", "share": {"groups": groups}}
    model = build(spec_of(fields), seed=0)
    config = albert.AlbertConfig(
        embedding_size=16,
        hidden_size=16,
        num_hidden_layers=layers,
        num_hidden_groups=groups,
        num_attention_heads=2,
        intermediate_size=64,
        hidden_act="gelu_new",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    config._attn_implementation = "eager"
    peer = albert.AlbertTransformer(config)
    peer.embedding_hidden_mapping_in = torch.nn.Identity()
    firsts = sorted({min(i for i in range(layers) if int(i / (layers / groups)) == group) for group in range(groups)})
    theirs, named = dict(peer.named_parameters()), as_albert(dict(model.named_parameters()), firsts)
    disturb(named.values())
    fill(theirs, named)
    model, peer = model.double(), peer.double()
    x_BTD = model.embed(IDS_BT).detach()
    actual, expected = model(IDS_BT), peer(x_BTD, None).last_hidden_state
    torch.testing.assert_close(actual, expected)
    direction = torch.linspace(-1, 2, expected.numel(), dtype=torch.float64).view_as(expected)
    actual.backward(direction)
    expected.backward(direction)
    gradients = as_albert({name: gradient(value) for name, value in model.named_parameters()}, firsts)
    for name, value in theirs.items():
        torch.testing.assert_close(gradients[name], gradient(value), msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    ("share", "blocks"),
    [
        ([0, 0, 1, 1], (0, 0, 1, 1)),
        ("all", (0, 0, 0, 0)),
        ({"cycle": 2}, (0, 1, 0, 1)),
        ({"cycle": 3}, (0, 1, 2, 0)),
        ({"groups": 2}, (0, 0, 1, 1)),
        ({"groups": 3}, (0, 0, 1, 2)),
    ],
)
def test_a_rule_stands_for_a_list(share: Any, blocks: tuple[int, ...]) -> None:
    spec, listed = spec_of({"share": share}), spec_of({"share": list(blocks)})
    assert spec.share is not None and spec.share.of_layers(4) == blocks
    assert spec.share.first(4) == tuple(blocks.index(block) for block in blocks)
    assert listed.share is None or listed.share.first(4) == spec.share.first(4)
    assert spec == ModelSpec.model_validate(spec.dump())


def test_a_rule_follows_the_depth_and_a_list_does_not() -> None:
    for depth in (0, 1, 8):
        assert count_parameters(spec_of({"share": "all", "num_layers": depth})) == count_parameters(
            spec_of({"num_layers": min(depth, 1)})
        )
    with pytest.raises(ValidationError, match="share lists 4 blocks for num_layers = 8 layers"):
        ModelSpec.model_validate(spec_of({"share": [0, 0, 1, 1]}).dump() | {"num_layers": 8})


@pytest.mark.parametrize("share", [None, [0, 1, 2, 3], {"part": "attention", "blocks": [0, 1, 2, 3]}])
def test_a_block_for_every_layer_is_no_sharing(share: Any) -> None:
    assert spec_of({"share": share}) == spec_of({})
    assert "share" not in spec_of({"share": share}).dump()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": [0, 0, 2, 1]}, "layer 2 points at block 2, which no layer has; expected at most 1"),
        ({"share": [1, 0, 0, 0]}, "layer 0 points at block 1, which no layer has; expected 0"),
        ({"share": [0, 0, -1, 0]}, "greater than or equal to 0"),
        ({"share": [0, 0, 1]}, "share lists 3 blocks for num_layers = 4 layers"),
        ({"share": "some"}, "expected a list with the block of each layer, all, or .*, got 'some'"),
        ({"share": {"cycle": 2, "groups": 2}}, "expected one of blocks, cycle, groups, got cycle and groups"),
        ({"share": {"part": "attention"}}, "expected one of blocks, cycle, groups, got none of them"),
        ({"share": {"cycle": 5}}, "share.cycle = 5 exceeds num_layers = 4"),
        ({"share": {"groups": 5}}, "share.groups = 5 exceeds num_layers = 4"),
        ({"share": {"groups": 0}}, "greater than 0"),
        ({"share": {"part": "head", "groups": 2}}, "'layer', 'attention' or 'feed_forward'"),
        (
            {"share": "all", "num_heads": [2, 2, 4, 2]},
            "layer 2 uses the weights of layer 0, but its num_heads is 4, that",
        ),
        ({"share": [0, 1, 0, 1], "d_ff": [8, 8, 9, 8]}, "its d_ff is 9, that of layer 0 is 8"),
        (
            {"share": {"part": "attention", "cycle": 2}, "window": [2, 3, 2, None]},
            "its window is None, that of layer 1",
        ),
        ({"share": "all", "num_heads": 4, "num_kv_heads": [1, 1, 1, 2]}, "its num_kv_heads is 2"),
        ({"share": {"part": "feed_forward", "groups": 2}, "d_ff": [8, 9, 8, 8]}, "its d_ff is 9, that of layer 0 is 8"),
        (
            {"share": {"part": "feed_forward", "groups": 2}, "d_ff": 0},
            "layers 0 and 1 share a feed-forward, which d_ff",
        ),
        (
            {"share": "all", "parametrisation": {"kind": "mup", "base_d_model": 8, "base_num_layers": 2}},
            "the rule for depth holds for layers with weights of their own; leave share out, or base_num_layers",
        ),
    ],
)
def test_what_points_nowhere_or_mixes_unlike_layers_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        spec_of(change)


def test_parameters_are_counted_as_stored_and_flops_as_executed() -> None:
    alone, shared, one = (spec_of(change) for change in ({}, {"share": "all"}, {"num_layers": 1}))
    assert count_parameters(shared) == count_parameters(one)
    assert flops_per_token(shared, context=8) == flops_per_token(alone, context=8)
    of_alone, of_shared, of_one = (
        estimate_memory(spec, micro_batch=2, context=8, loss_chunk_rows=8, optimizer_tensors=2)
        for spec in (alone, shared, one)
    )
    assert (of_shared.weights, of_shared.gradients, of_shared.optimizer) == (
        (of_one.weights, of_one.gradients, of_one.optimizer)
    )
    assert of_shared.activations == of_alone.activations > of_one.activations


def test_depth_scaled_weights_count_executed_layers() -> None:
    plain, scaled = (
        build(spec_of({"share": "all", "init": {"std": 0.3, "residual": residual}}), seed=0)
        for residual in ("plain", "depth_scaled")
    )
    name = "blocks.0.attention.output.weight"
    torch.testing.assert_close(plain.get_parameter(name) / 8**0.5, scaled.get_parameter(name))


@pytest.mark.parametrize("change", SHARED, ids=str)
def test_checkpoints_hold_each_tensor_once_and_go_on_bit_for_bit(change: dict[str, Any], tmp_path: Path) -> None:
    spec, file = spec_of(change), tmp_path / "checkpoint.safetensors"
    trainer, resumed = (Trainer(build(spec, seed=seed), TrainSpec(**PLAIN), 1) for seed in (1, 2))
    trainer.step(0, *PAIR)
    save_checkpoint(file, trainer, run_id="x", step=1)
    assert load_checkpoint(file, resumed, run_id="x") == 1
    weights = [value.numel() for name, value in read_weights(file).items() if name.startswith("weights/")]
    assert sum(weights) == count_parameters(spec).total
    for step in (1, 2):
        assert [float(each) for each in trainer.step(step, *PAIR)] == [
            float(each) for each in resumed.step(step, *PAIR)
        ]
    assert all(map(torch.equal, trainer.model.parameters(), resumed.model.parameters()))


def test_clipping_sees_the_sum_of_the_gradients_of_a_shared_tensor_once() -> None:
    spec = spec_of({"share": "all", "dropout": 0.0, "attention_dropout": 0.0})
    trainer = Trainer(build(spec, seed=1), TrainSpec(**PLAIN), 1)
    trainer.loss(*PAIR, None).backward()
    wanted = torch.stack([gradient(value).square().sum() for value in trainer.model.parameters()]).sum().sqrt()
    trainer.model.zero_grad()
    torch.testing.assert_close(torch.tensor(float(trainer.step(0, *PAIR)[1])), wanted.detach())


@pytest.mark.parametrize("change", SHARED, ids=str)
def test_every_executed_layer_has_its_own_maps_and_outputs(change: dict[str, Any]) -> None:
    spec = spec_of(change | {"d_ff": None})
    model = build(spec, seed=1)
    alone = with_copies(model)
    for mine, theirs in zip(attention_maps(model, IDS_BT), attention_maps(alone, IDS_BT), strict=True):
        assert torch.equal(mine, theirs)
    own, wanted = outputs(model, IDS_BT), outputs(alone, IDS_BT)
    assert own.keys() == wanted.keys() and len(own["attention"]) == spec.num_layers
    for part, values in own.items():
        assert len(values) == len(wanted[part]) and all(map(torch.equal, values, wanted[part]))

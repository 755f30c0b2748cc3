"""Patterns against their definitions, pair by pair, and against the masks of Gemma 3 and BigBird."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from stacklab.model.init import build
from stacklab.model.masks import Mask, Visibility, visibility_of, visible_pairs
from stacklab.model.ops import attention as kernels
from stacklab.model.ops.attention import attention, attention_scores
from stacklab.model.patterns.kinds import RandomBlocksPattern
from stacklab.model.spec import ModelSpec

SIZE = 11
STACK: dict[str, Any] = {"vocab_size": 7, "d_model": 8, "num_layers": 2, "num_heads": 2, "context_length": SIZE}


def random_blocks(t: int, s: int, *, causal: bool) -> bool:
    """Blocks of 2 with their neighbours, 1 global at either end and 1 drawn; of seed 3."""
    drawn = RandomBlocksPattern(size=2, random=1, last_global_blocks=1, seed=3).draw(causal=causal, length=SIZE)
    query, key = t // 2, s // 2
    return abs(query - key) <= 1 or {query, key} & {0, 5} != set() or drawn[0][query] == key


DEFINITIONS: dict[str, tuple[dict[str, Any], Callable[..., bool]]] = {
    "global": ({"kind": "global", "size": 2}, lambda t, s, causal: abs(t - s) < 2 or t == 0 or s == 0),
    "two global": (
        {"kind": "global", "size": 1, "tokens": 2},
        lambda t, s, causal: t == s or min(t, s) < 2,
    ),
    "strided": ({"kind": "strided", "stride": 3}, lambda t, s, causal: (t - s) % 3 == 0),
    "strided and window": (
        {"kind": "strided", "stride": 4, "size": 3},
        lambda t, s, causal: (t - s) % 4 == 0 or abs(t - s) < 3,
    ),
    "block": ({"kind": "block", "size": 3}, lambda t, s, causal: t // 3 == s // 3),
    "blocks": ({"kind": "block", "size": 2, "neighbours": 1}, lambda t, s, causal: abs(t // 2 - s // 2) <= 1),
    "random": (
        {"kind": "random_blocks", "size": 2, "random": 1, "last_global_blocks": 1, "seed": 3},
        random_blocks,
    ),
}


def wanted(name: str, mask: Mask) -> torch.Tensor:
    sees, causal = DEFINITIONS[name][1], mask == "causal"
    rows = [[(s <= t or not causal) and bool(sees(t, s, causal=causal)) for s in range(SIZE)] for t in range(SIZE)]
    return torch.tensor(rows)


def defined(name: str, mask: Mask) -> Visibility:
    spec = ModelSpec.model_validate(STACK | {"mask": mask, "attention_pattern": DEFINITIONS[name][0]})
    return spec.visibility(spec.layers[0])


@pytest.mark.parametrize("mask", ["causal", "full"])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_one_rule_makes_the_mask_the_ranges_of_keys_and_the_count(
    name: str, mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    visibility, seen = defined(name, mask), wanted(name, mask)
    positions = torch.arange(SIZE)
    assert visibility.seen_TS(positions, positions).equal(seen)
    assert visibility.seen_TS(positions[4:6], positions).equal(seen[4:6])
    assert visible_pairs.__wrapped__(visibility, SIZE) == int(seen.sum())
    monkeypatch.setattr("stacklab.model.masks.PAIRS_AT_ONCE", 25)
    assert visible_pairs.__wrapped__(visibility, SIZE) == int(seen.sum())
    for start in range(SIZE):
        keys = visibility.keys_of(slice(start, start + 2), SIZE)
        some = seen[start : start + 2].any(0).nonzero().flatten().tolist()
        assert keys.start <= min(some) and max(some) < keys.stop


@pytest.mark.parametrize("p", [0.0, 1e-12])
@pytest.mark.parametrize("mask", ["causal", "full"])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_both_kernels_and_the_scores(name: str, mask: Mask, p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout of next to nothing takes the kernel with dropout, whose pieces are made small."""
    monkeypatch.setattr(kernels, "QUERY_BLOCK", 4)
    visibility, generator = defined(name, mask), torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 2, SIZE, 4, dtype=torch.float64, generator=generator) for _ in range(3))
    scores = (q @ k.mT * 0.7).masked_fill(~wanted(name, mask), -torch.inf)
    torch.testing.assert_close(attention_scores(q, k, visibility=visibility, scale=0.7), scores)
    mixed = attention(q, k, v, dropout=p, seed=3, visibility=visibility, scale=0.7)
    torch.testing.assert_close(mixed, scores.softmax(-1) @ v)


def test_windows_and_full_layers_are_stored_as_windows() -> None:
    """However it is written, a stack has one spec, and one run."""
    window = {"kind": "window", "size": 3}
    six = STACK | {"num_layers": 6}

    def of(fields: dict[str, Any], **change: Any) -> ModelSpec:
        spec = ModelSpec.model_validate(fields | change)
        assert ModelSpec.model_validate(spec.dump()) == spec
        return spec

    assert of(STACK, attention_pattern=window) == of(STACK, window=3)
    assert of(STACK, attention_pattern=["full", window]) == of(STACK, window=[None, 3])
    assert of(STACK, attention_pattern="full") == of(STACK) == of(STACK, attention_pattern=["full", None])
    assert "attention_pattern" not in of(STACK, attention_pattern=window).dump()
    cycle = {"ratio": "2:1", "of": [window, "full"]}
    assert of(six, attention_pattern=cycle) == of(six, window=[3, 3, None, 3, 3, None])
    block = {"kind": "block", "size": 2}
    mixed = of(six, attention_pattern={"ratio": "1:2:1", "of": [window, block, "full"]})
    assert mixed.window == (3, None, None, None, 3, None)
    assert [layer.attention_pattern is not None for layer in mixed.layers] == [False, True, True, False, False, True]


def test_the_layers_of_one_setting_draw_blocks_of_their_own() -> None:
    fields = STACK | {"attention_pattern": {"kind": "random_blocks", "size": 1, "random": 2, "seed": 5}}
    spec = ModelSpec.model_validate(fields)
    assert [layer.attention_pattern.seed for layer in spec.layers] == [5, 6]  # type: ignore[union-attr]
    first, second = (spec.visibility(layer).drawn for layer in spec.layers)
    assert first != second
    longer = RandomBlocksPattern(size=1, random=2, seed=5).draw(causal=True, length=2 * SIZE)
    assert tuple(row[:SIZE] for row in longer) == first


BAD = [
    ({"kind": "random_blocks", "size": 2, "neighbours": None, "global_blocks": 0}, "query at position 0 without keys"),
    (
        {"kind": "random_blocks", "size": 2, "neighbours": None, "global_blocks": 0, "last_global_blocks": 5},
        "query at position 0 without keys",
    ),
    ({"kind": "spiral"}, "'strided', 'block', 'random_blocks'"),
    ("strided", "attention_pattern: strided.stride: Field required"),
    ({"kind": "window", "size": 0}, "attention_pattern: window.size: Input should be greater than 0"),
    ([{"kind": "block", "size": 2}] * 3, "attention_pattern lists 3 values for num_layers = 2 layers"),
    ({"ratio": "1:1", "of": ["full"]}, "the ratio 1:1 is of 2 patterns, but `of` lists 1"),
    ({"ratio": "5:1", "of": [{"kind": "window", "size": 2}, "full"]}, "needs 6 layers or more, got num_layers = 2"),
    ({"ratio": 301, "of": ["full"]}, "attention_pattern: ratio: Input should be a valid string"),
    ({"ratio": "0:1", "of": ["full", "full"]}, "ratio: String should match pattern"),
]


@pytest.mark.parametrize("num_layers", [10**9, 2.5, "two", None])
def test_a_cycle_needs_a_number_of_layers(num_layers: object) -> None:
    """Before a list as long as that is made."""
    cycle = {"ratio": "1:1", "of": [{"kind": "block", "size": 2}, "full"]}
    with pytest.raises(ValidationError, match="attention_pattern: a cycle needs num_layers up to 10,000"):
        ModelSpec.model_validate(STACK | {"num_layers": num_layers, "attention_pattern": cycle})


def test_too_many_blocks_to_draw_from_are_refused() -> None:
    fields = STACK | {"context_length": 2**24, "attention_pattern": {"kind": "random_blocks", "size": 4095}}
    with pytest.raises(ValidationError, match=r"size = 4,095 cuts context_length = 16,777,216 into 4,098 blocks"):
        ModelSpec.model_validate(fields)


@pytest.mark.parametrize(("pattern", "reason"), BAD, ids=str)
@pytest.mark.parametrize("mask", ["causal", "full"])
def test_bad_patterns_are_refused_with_the_reason(pattern: Any, reason: str, mask: Mask) -> None:
    """Later keys do not help, under a full mask either: a sequence may end before them."""
    with pytest.raises(ValidationError, match="attention_pattern") as caught:
        ModelSpec.model_validate(STACK | {"mask": mask, "attention_pattern": pattern})
    assert reason in str(caught.value)


def test_a_layer_has_a_window_or_a_pattern() -> None:
    block = {"kind": "block", "size": 2}
    with pytest.raises(ValidationError, match=r"window = 3 and attention_pattern = block \(layer 1\)"):
        ModelSpec.model_validate(STACK | {"window": [None, 3], "attention_pattern": block})
    with pytest.raises(ValidationError, match="both state windows; set window to null"):
        ModelSpec.model_validate(STACK | {"window": 3, "attention_pattern": [block, "full"]})
    spec = ModelSpec.model_validate(STACK | {"window": [None, 3], "attention_pattern": [block, None]})
    assert [layer.window for layer in spec.layers] == [None, 3]


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("both_ways", [False, True])
def test_cycles_of_windows_show_what_gemma_3_shows(window: int, both_ways: bool) -> None:
    """Its layers are 5:1. Both count the query itself; both ways, it makes its window w // 2 + 1 first."""
    gemma = pytest.importorskip("transformers.models.gemma3")
    config = gemma.Gemma3TextConfig(
        vocab_size=7,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=8,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=4,
        sliding_window=2 * (window - 1) if both_ways else window,
        use_bidirectional_attention=both_ways,
        attn_implementation="eager",
    )
    peer = gemma.Gemma3TextModel(config).eval()
    theirs = peer(torch.arange(SIZE)[None] % 7, output_attentions=True).attentions
    spec = ModelSpec.model_validate(
        STACK
        | {"num_layers": 8, "mask": "full" if both_ways else "causal"}
        | {"attention_pattern": {"ratio": "5:1", "of": [{"kind": "window", "size": window}, "full"]}}
    )
    model = build(spec, seed=0)
    x_BTD = torch.randn(1, SIZE, 8, generator=torch.Generator().manual_seed(0))
    for block, shares in zip(model.blocks, theirs, strict=True):
        assert (block.attention.probabilities(x_BTD)[0, 0] > 0).equal(shares[0, 0] > 0)


@pytest.mark.parametrize("random", [1, 2])
def test_random_blocks_compute_what_bigbird_computes(random: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the blocks that it draws itself, which we exclude as it does."""
    bird = pytest.importorskip("transformers.models.big_bird.modeling_big_bird")
    blocks, size = 12, 4
    config = bird.BigBirdConfig(
        hidden_size=8,
        num_attention_heads=1,
        block_size=size,
        num_random_blocks=random,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=blocks * size,
    )
    peer = bird.BigBirdBlockSparseAttention(config, seed=3).train().double()
    masks = bird.BigBirdModel.create_masks_for_block_sparse_attn(torch.ones(1, blocks * size).double(), size)
    blocked, band, from_mask, to_mask = masks
    x_BTD = torch.randn(1, blocks * size, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    drawn: list[Any] = []
    draw = peer._bigbird_block_rand_mask_with_head
    monkeypatch.setattr(
        peer, "_bigbird_block_rand_mask_with_head", lambda **settings: drawn.append(draw(**settings)) or drawn[0]
    )
    theirs_BTD, shares = peer(x_BTD, band, from_mask, to_mask, blocked, blocked, output_attentions=True)
    table = tuple((-1, *row, -1) for row in np.asarray(drawn[0][0]).T.tolist())
    pattern = RandomBlocksPattern(size=size, random=random, last_global_blocks=1)
    visibility = visibility_of("full", None, pattern, blocks * size)._replace(drawn=table)
    positions = torch.arange(blocks * size)
    assert (shares[0, 0] > 0).equal(visibility.seen_TS(positions, positions))
    q, k, v = (each(x_BTD)[:, None] for each in (peer.query, peer.key, peer.value))
    torch.testing.assert_close(attention(q, k, v, dropout=0.0, seed=0, visibility=visibility)[:, 0], theirs_BTD)


def test_draws_leave_out_what_is_seen_anyway() -> None:
    pattern = RandomBlocksPattern(size=4, random=2, last_global_blocks=1)
    drawn = np.array(pattern.draw(causal=False, length=48))
    for block in range(1, 11):
        chosen = set(drawn[:, block].tolist())
        assert len(chosen) == 2 and not chosen & {0, 11, block - 1, block, block + 1}
    causal = np.array(pattern.draw(causal=True, length=48))
    assert all(set(causal[:, block].tolist()) <= {-1, *range(1, block - 1)} for block in range(12))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_layer_can_be_compiled_as_one_graph(name: str) -> None:
    """As blocks are on cards; packed records too."""
    change = {"attention_pattern": DEFINITIONS[name][0], "attention_dropout": 0.0}
    layer = build(ModelSpec.model_validate(STACK | change), seed=0).blocks[0].attention
    torch.compiler.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True, dynamic=False)
    x_BTD = torch.randn(2, SIZE, 8, generator=torch.Generator().manual_seed(0))
    for positions_BT in (None, (torch.arange(SIZE) % 6).expand(2, -1)):
        plain_BTD = layer(x_BTD, None, positions_BT=positions_BT)
        torch.testing.assert_close(compiled(x_BTD, None, positions_BT=positions_BT), plain_BTD)

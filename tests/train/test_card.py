"""Which kernels a card uses, for cards that are not here."""

import doctest
import importlib.util
from types import SimpleNamespace

import pytest
import torch

from stacklab.train import card as module
from stacklab.train.card import MM_OUT_DTYPE, Card, describe_card, kernels, torch_release

BF16, FLASH, BLOCKS, FLEX, SUMS = (
    "bf16",
    "flash attention",
    "compiled blocks",
    "FlexAttention",
    "fp32 results of half-precision products",
)


def card(name: str, capability: tuple[int, int], *, triton_lacks: str = "", built_for: bool = True) -> Card:
    return Card(name, capability, 16 * 2**30, triton_lacks, built_for)


OLD = [card("V100", (7, 0)), card("T4", (7, 5))]
NEW = [card("A100", (8, 0)), card("RTX 4090", (8, 9)), card("H100", (9, 0))]


def used(card: Card, release: tuple[int, int] = (2, 13)) -> set[str]:
    return {row.name for row in kernels(card, release) if row.used}


@pytest.mark.parametrize("new", NEW, ids=lambda row: row.name)
def test_cards_from_ampere_on_use_everything(new: Card) -> None:
    assert used(new) == {BF16, FLASH, BLOCKS, FLEX, SUMS}


@pytest.mark.parametrize("old", OLD, ids=lambda row: row.name)
def test_older_cards_say_what_is_missing_and_what_is_used_instead(old: Card) -> None:
    assert used(old) == {SUMS}
    why = {row.name: row.why for row in kernels(old, (2, 13))}
    for name in (BF16, FLASH, BLOCKS, FLEX):
        assert why[name].startswith(f"needs sm80; this card is {old.sm}. Instead: ")
    assert why[BF16].endswith("fp16 with loss scaling")


def test_without_triton_nothing_is_compiled() -> None:
    bare = card("A100", (8, 0), triton_lacks="a C compiler")
    assert used(bare) == {BF16, FLASH, SUMS}
    why = {row.name: row.why for row in kernels(bare, (2, 13))}
    assert why[BLOCKS] == "needs a C compiler. Instead: eager blocks"


def test_products_keep_their_fp32_sums_from_torch_2_8_on() -> None:
    a100 = NEW[0]
    assert SUMS in used(a100, (2, 8)) and SUMS in used(a100, (2, 11))
    assert SUMS not in used(a100, (2, 7))
    assert "needs torch 2.8; this is 2.6" in {row.name: row.why for row in kernels(a100, (2, 6))}[SUMS]


def test_a_card_without_code_in_this_build_uses_nothing() -> None:
    (row,) = kernels(card("P100", (6, 0), built_for=False), (2, 13))
    assert not row.used and "no code for sm60" in row.why


def test_a_card_is_described_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = SimpleNamespace(name="Tesla T4", major=7, minor=5, total_memory=15 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: facts)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_80", "sm_90a"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    lacks = "Triton, which is not installed"
    assert describe_card(0) == Card("Tesla T4", (7, 5), 15 * 2**30, triton_lacks=lacks, built_for=False)


def test_examples() -> None:
    assert doctest.testmod(module).failed == 0


def test_the_release_is_two_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch_release() >= (2, 6)
    monkeypatch.setattr(torch, "__version__", "2.10.0a0+git1234")
    assert torch_release() == (2, 10)


def test_the_product_with_fp32_results_is_there_from_its_release_on() -> None:
    assert hasattr(torch.ops.aten.mm, "dtype") == (torch_release() >= MM_OUT_DTYPE)
